"""What homes are needed: what fits is told from terms alone, and only managers write it down."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from crm import policy
from crm.assessments import needs
from crm.assessments.need_models import HomeNeed
from crm.audit.models import AuditEntry
from crm.clock import now_utc, today_in_london
from crm.db import writing
from crm.rules.need import Fit, NeedKind, Offer, Wanted, fits
from crm.rules.permissions import NotPermitted

YES, NO, ASK, NOT_KNOWN = Fit.YES, Fit.NO, Fit.ASK, Fit.NOT_KNOWN
NOTHING = Offer()


@pytest.mark.parametrize(
    ("kind", "offer", "answer"),
    [
        ("ages_0_4", Offer(1, 0, 8), YES),
        ("ages_0_4", Offer(1, 4, 8), YES),
        ("ages_0_4", Offer(1, 5, 8), NO),
        ("ages_5_10", Offer(1, 0, 4), NO),
        ("ages_5_10", Offer(1, 10, 17), YES),
        ("ages_11_17", Offer(1, 0, 11), YES),
        ("teenagers", Offer(1, 0, 11), NO),
        ("teenagers", Offer(1, 0, 12), NO),
        ("teenagers", Offer(1, 0, 13), YES),
        ("teenagers", Offer(1, 10, None), YES),
        ("teenagers", Offer(1, None, 10), NO),
        ("teenagers", Offer(2, None, None, "any"), NOT_KNOWN),
        ("teenagers", NOTHING, NOT_KNOWN),
        ("teenagers", Offer(1, 0, 17, "short_breaks"), NO),
        ("ages_0_4", Offer(1, 0, 4, "parent_and_child"), NO),
        ("ages_0_4", Offer(1, 0, 4, "long_term"), YES),
        ("siblings", Offer(1, 0, 17), NO),
        ("siblings", Offer(2, 0, 17), YES),
        ("siblings", Offer(None, 0, 17), NOT_KNOWN),
        ("siblings", Offer(2, care="short_breaks"), NO),
        ("parent_and_child", Offer(1, 0, 17), NOT_KNOWN),
        ("parent_and_child", Offer(care="parent_and_child"), YES),
        ("parent_and_child", Offer(care="any"), YES),
        ("parent_and_child", Offer(care="short_and_long"), NO),
        ("short_breaks", Offer(care="short_breaks"), YES),
        ("short_breaks", Offer(care="any"), YES),
        ("short_breaks", Offer(care="short_term"), NO),
        ("short_breaks", NOTHING, NOT_KNOWN),
        ("language", Offer(3, 0, 17, "any"), ASK),
        ("language", NOTHING, ASK),
        ("other", Offer(3, 0, 17, "any"), ASK),
    ],
)
def test_what_fits_is_told_from_terms_alone(kind, offer, answer):
    assert fits(Wanted(NeedKind(kind)), offer, "BR1") is answer
    assert fits(Wanted(NeedKind(kind), frozenset({"BR1"})), offer, "BR1") is answer
    assert fits(Wanted(NeedKind(kind), frozenset({"BR1"})), offer, "SE6") is NO


@pytest.mark.parametrize(("districts", "district"), [(frozenset({"BR1"}), None), (frozenset(), "BR1")])
def test_where_somebody_lives_is_not_guessed(districts, district):
    wide, narrow = Offer(2, 0, 17, "any"), Offer(1, 0, 4)

    assert fits(Wanted(NeedKind.TEENAGERS, districts), wide, district) is NOT_KNOWN
    assert fits(Wanted(NeedKind.TEENAGERS, districts), narrow, district) is NO
    assert fits(Wanted(NeedKind.LANGUAGE, districts), wide, district) is ASK


def write(actor, **changed) -> HomeNeed:
    said = {"kind": "teenagers", "words": None, "homes": 4, "by_on": None, "area": None, **changed}
    return needs.write_need(**said, actor=actor, now=now_utc(), today=today_in_london())


def test_a_need_is_written_changed_and_closed_and_never_lost(app, session, cast):
    manager = cast.manager.actor
    with writing():
        need = write(manager, kind="language", words="  Tigrinya ", area=policy.service().areas[0].name)
    said = {"kind": "teenagers", "words": "Tigrinya", "homes": 2, "by_on": None, "area": None}
    with writing():
        needs.change_need(need, **said, actor=manager, now=now_utc(), today=today_in_london())
    with writing():
        needs.close_need(need, actor=manager, now=now_utc())

    assert (need.kind, need.words, need.homes, need.area) == ("teenagers", None, 2, None)
    assert needs.open_needs() == []
    assert list(needs.closed_needs()) == [need]
    events = session.scalars(select(AuditEntry.event).where(AuditEntry.subject == f"need:{need.id}")).all()
    assert sorted(events) == ["need.changed", "need.closed", "need.written"]
    with pytest.raises(needs.NeedIsClosed):
        needs.change_need(need, **said, actor=manager, now=now_utc(), today=today_in_london())
    with pytest.raises(needs.NeedIsClosed):
        needs.close_need(need, actor=manager, now=now_utc())


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"kind": "aliens"}, "kind"),
        ({"kind": "language", "words": "  "}, "words"),
        ({"homes": 0}, "homes"),
        ({"homes": 501}, "homes"),
        ({"by_on": date(2020, 1, 1)}, "by"),
        ({"area": "Atlantis"}, "area"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(app, session, cast, changed, field):
    with pytest.raises(needs.NeedNotWritten) as refusal:
        write(cast.manager.actor, **changed)

    assert refusal.value.field == field


def test_only_managers_write_what_is_needed(app, session, cast):
    for member in (cast.recruiter, cast.officer, cast.administrator):
        with pytest.raises(NotPermitted):
            write(member.actor)


def test_a_manager_writes_on_the_page_and_a_recruiter_reads_it(client, cast):
    client.sign_in(cast.manager)
    page = client.get("/needs").page
    sent = {"kind": "siblings", "homes": "3", "area": ""}
    assert client.submit(page, button="Write this down", **sent).status_code == 303
    assert (
        client.submit(client.get("/needs").page, button="Write this down", kind="other", homes="x").status_code == 422
    )

    client.sign_in(cast.recruiter)
    read = client.get("/needs").text
    assert "3 homes" in read
    assert "Write this down" not in read
    assert "Brothers and sisters together" in client.get("/reports/need").text
