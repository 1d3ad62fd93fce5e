"""The things of crm/access that stand in addresses. Every objects_*.py has OBJECTS: name -> function(world) giving the
values of an address for own, other and missing (a relation may be left out)."""

from typing import Any

from crm.access import links
from crm.access.models import User
from crm.access.tokens import new_token
from crm.clock import now_utc
from crm.db import db
from tests.access.world import World
from tests.factories import Member, make_user, open_session


def static_file(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"filename": "brand.css"}, "missing": {"filename": "no-such.css"}}


def reset_link(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        user = db.session.get_one(User, world.cast.officer.id)
        token = links.new_reset(user=user, now=now_utc())[1]
    return {"own": {"token": token}, "missing": {"token": new_token()}}


def invitation_link(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        made = make_user(Member("invited", "Ines Neu", world.cast.officer.roles, active=False))
        user = db.session.get_one(User, made.id)
        token = links.new_invitation(user=user, made_by_id=None, now=now_utc())[1]
    return {"own": {"token": token}, "missing": {"token": new_token()}}


def session_of_officer(world: World) -> dict[str, dict[str, Any]]:
    ids = {}
    for relation, member in (("own", world.cast.officer), ("other", world.cast.manager)):
        open_session(world.app, member)
        ids[relation] = {"session_id": world.newest_session_of(member)}
    return {**ids, "missing": {"session_id": 999_999}}


OBJECTS = {
    "static_file": static_file,
    "reset_link": reset_link,
    "invitation_link": invitation_link,
    "session_of_officer": session_of_officer,
}
