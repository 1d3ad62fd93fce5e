"""Views of the queue that somebody gave a name: the filters, kept as they stand in an address."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, func, select

from crm.audit import record
from crm.db import db, read
from crm.enquiries.models import SavedView
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal

MOST = 20
"""Views that one person keeps."""


class ViewNotSaved(Refusal):
    """The view can't be kept under that name."""

    default_status = 422


class NoSuchView(Refusal):
    """It is gone, or somebody else's."""

    default_status = 404


def save_view(*, name: str, query: str, actor: Actor, now: datetime) -> SavedView:
    """Keep a choice of filters under a name; the same name again gets the new filters. Raises ViewNotSaved."""
    words = " ".join(name.split())[:60]
    if not query:
        raise ViewNotSaved("Choose a view or a filter first: all that is open needs no name.", field="name")
    found = db.session.scalars(
        select(SavedView).where(SavedView.user_id == actor.user_id, SavedView.name == words)
    ).first()
    if found is None:
        held = db.session.scalar(select(func.count()).select_from(SavedView).where(SavedView.user_id == actor.user_id))
        if (held or 0) >= MOST:
            raise ViewNotSaved(f"You keep {MOST} views already. Take one away first.", field="name")
        found = SavedView(user_id=actor.user_id, name=words, created_at=now)
        db.session.add(found)
    found.query = query[:300]
    db.session.flush()
    record("view.saved", actor=actor, at=now, subject=f"saved_view:{found.id}")
    return found


def forget_view(view_id: int, *, actor: Actor, now: datetime) -> str:
    """Take a view of one's own away; gives its name. Raises NoSuchView."""
    view = db.session.get(SavedView, view_id)
    if view is None or view.user_id != actor.user_id:
        raise NoSuchView("That view is gone already.")
    name = view.name
    db.session.delete(view)
    record("view.forgotten", actor=actor, at=now, subject=f"saved_view:{view_id}")
    return name


_VIEW = SavedView.__table__.c
_MINE = select(_VIEW.id, _VIEW.name, _VIEW.query).where(_VIEW.user_id == bindparam("me")).order_by(_VIEW.name)


def views_of(actor: Actor) -> list[tuple[int, str, str]]:
    """The views that somebody keeps: id, name, filters; by name."""
    return [(row.id, row.name, row.query) for row in read(_MINE, {"me": actor.user_id})]
