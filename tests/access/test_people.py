"""Who works here: inviting, roles, switching off, leaving. Each is an administrator's to do, and in the trail."""

import pytest
import sqlalchemy as sa

from crm.access import people, queries
from crm.access.models import User
from crm.audit import AuditEntry
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.rules.permissions import NotPermitted, Permission, Role
from crm.rules.refusal import Refusal


@pytest.fixture
def desk(app):
    with app.app_context():
        yield
        db.session.rollback()


def user(member):
    return db.session.get_one(User, member.id)


def invite(cast, **changes):
    return people.invite_user(
        **{
            "email": "Ines.Neu@Example.org",
            "name": "Ines Neu",
            "roles": [Role.OFFICER],
            "link_for": lambda token: f"http://localhost/invitation/{token}",
            "actor": cast.administrator.actor,
            "now": now_utc(),
        }
        | changes
    )


def test_an_invitation_makes_an_account_that_is_not_yet_in_use(desk, cast):
    with transaction():
        made = invite(cast)

    assert (made.email, made.active, made.roles, made.is_invited) == (
        "ines.neu@example.org",
        False,
        {Role.OFFICER},
        True,
    )
    event = db.session.scalar(sa.select(AuditEntry).where(AuditEntry.event == "access.user_invited"))
    assert event.subject == f"user:{made.id}"


def test_one_address_is_one_account_in_whatever_case(desk, cast):
    with pytest.raises(people.AlreadyHere), transaction():
        invite(cast, email=cast.officer.email.upper())


@pytest.mark.parametrize("who", ["officer", "manager", "panel_administrator", "decision_maker", "recruiter"])
def test_only_an_administrator_may(desk, cast, who):
    actor = cast.everyone[who].actor
    operations = (
        lambda: invite(cast, actor=actor),
        lambda: people.change_roles(user=user(cast.recruiter), roles=[Role.MANAGER], actor=actor, now=now_utc()),
        lambda: people.disable_user(user=user(cast.recruiter), actor=actor, now=now_utc()),
        lambda: people.enable_user(user=user(cast.disabled), actor=actor, now=now_utc()),
        lambda: people.leave(
            user=user(cast.recruiter),
            handed_to=user(cast.manager),
            actor=actor,
            now=now_utc(),
            today=today_in_london(),
        ),
    )
    for operation in operations:
        with pytest.raises(NotPermitted), transaction():
            operation()


def test_the_administrators_role_stands_alone(desk, cast):
    with pytest.raises(Refusal, match="stands alone"), transaction():
        people.change_roles(
            user=user(cast.manager),
            roles=[Role.MANAGER, Role.ADMINISTRATOR],
            actor=cast.administrator.actor,
            now=now_utc(),
        )


def test_nobody_locks_themselves_out(desk, cast):
    own = {"user": user(cast.administrator), "actor": cast.administrator.actor, "now": now_utc()}
    with pytest.raises(people.CannotChangeAccount), transaction():
        people.change_roles(roles=[Role.MANAGER], **own)
    with pytest.raises(people.CannotChangeAccount), transaction():
        people.disable_user(**own)
    with pytest.raises(people.CannotLeave), transaction():
        people.leave(handed_to=user(cast.manager), today=today_in_london(), **own)


def test_a_new_role_holds_from_the_next_click(app, client, cast):
    client.sign_in(cast.officer)
    with app.app_context(), transaction():
        people.change_roles(
            user=user(cast.officer), roles=[Role.PANEL_MEMBER], actor=cast.administrator.actor, now=now_utc()
        )

    client.sign_in(cast.officer)
    with app.app_context():
        assert queries.user_with(cast.officer.id).roles == {Role.PANEL_MEMBER}
        assert cast.officer.id not in {one.id for one in queries.staff_who_may(Permission.BOOK_VISIT)}


def test_a_leaver_hands_over_everything_and_keeps_their_name(desk, cast, monkeypatch):
    handed = []
    monkeypatch.setattr(people, "ON_LEAVING", [lambda **values: handed.append(values)])

    with transaction():
        people.leave(
            user=user(cast.officer),
            handed_to=user(cast.other_officer),
            actor=cast.administrator.actor,
            now=now_utc(),
            today=today_in_london(),
        )

    (values,) = handed
    assert (values["from_user_id"], values["to_user_id"]) == (cast.officer.id, cast.other_officer.id)
    left = user(cast.officer)
    assert (left.left_on, left.active, left.name) == (today_in_london(), False, "Nadia Rahman")
    assert queries.names_of([cast.officer.id, None]) == {cast.officer.id: "Nadia Rahman"}


def test_what_hands_over_is_bound(app):
    assert len(people.ON_LEAVING) >= 2


@pytest.mark.parametrize("to", ["nobody", "themselves", "disabled"])
def test_work_is_handed_to_somebody_who_is_here(desk, cast, to):
    handed_to = {"nobody": None, "themselves": user(cast.officer), "disabled": user(cast.disabled)}[to]

    with pytest.raises(people.CannotLeave), transaction():
        people.leave(
            user=user(cast.officer),
            handed_to=handed_to,
            actor=cast.administrator.actor,
            now=now_utc(),
            today=today_in_london(),
        )


def test_a_leaver_does_not_come_back_by_a_switch(desk, cast):
    with transaction():
        people.leave(
            user=user(cast.panel_member),
            handed_to=None,
            actor=cast.administrator.actor,
            now=now_utc(),
            today=today_in_london(),
        )
    with pytest.raises(people.CannotChangeAccount), transaction():
        people.enable_user(user=user(cast.panel_member), actor=cast.administrator.actor, now=now_utc())
    with pytest.raises(sa.exc.IntegrityError), transaction():
        db.session.execute(sa.update(User).where(User.id == cast.panel_member.id).values(active=True))


def test_lists_of_people(desk, cast):
    assert [one.id for one in queries.staff_with_role(Role.OFFICER)] == [cast.other_officer.id, cast.officer.id]
    assert {one.id for one in queries.everyone()} == {member.id for member in cast.everyone.values() if member.is_staff}
    with pytest.raises(queries.NoSuchUser):
        queries.user_with(999_999)
