"""Secret links are secret and mortal (G29): every kind there is, asked the same questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import flask
import pytest

from crm import policy
from crm.access import guards, links, people
from crm.access.models import User
from crm.assessments import referees
from crm.assessments.referee_models import Referee
from crm.calendars import feeds
from crm.cases import contact_links
from crm.cases.models import Case
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.enquiries import drafts
from crm.events import places
from crm.events.models import EventSignUp
from crm.portal import signing_in
from crm.visits import choosing
from crm.visits.models import VisitOffer
from tests.walks.estate import Estate
from tests.walks.finding import Walker
from tests.walks.undoing import Rows

BITS_OF_A_CHARACTER = 6
BITS_AT_LEAST = 128
LOOKS = 3


@dataclass(frozen=True)
class Link:
    """One kind of secret link: its endpoint, where it opens, and how somebody ends it now."""

    endpoint: str
    path: str
    end: Callable[[Estate], None]
    more: tuple[str, ...] = ()
    """Other pages of the same link, asked in a test of their own."""


def end_invitation(estate: Estate) -> None:
    links.withdraw_all(user_id=estate.things["invited_colleague"], now=now_utc())


def end_reset(estate: Estate) -> None:
    user = db.session.get_one(User, estate.cast.officer.id)
    people.disable_user(user=user, actor=estate.cast.administrator.actor, now=now_utc())


def end_feed(estate: Estate) -> None:
    feeds.end_address(user_id=estate.cast.officer.id, actor=estate.cast.officer.actor, now=now_utc())


def end_place(estate: Estate) -> None:
    row = db.session.get_one(EventSignUp, estate.things["waiting_sign_up_id"])
    places.renew_link(row, actor=estate.cast.recruiter.actor, now=now_utc())


def end_contact_links(estate: Estate) -> None:
    contact_links.forget_ended(now=now_utc() + contact_links.STOP_GOOD_FOR)


def end_come_back(estate: Estate) -> None:
    draft = drafts.draft_behind(estate.secrets["come_back"], now=now_utc())
    drafts.make_link(draft, now=now_utc())


def end_visit_link(estate: Estate) -> None:
    offer = db.session.get_one(VisitOffer, estate.homes["contacted"].values["offer_id"])
    case = db.session.get_one(Case, offer.case_id)
    choosing.withdraw(offer, case, actor=estate.cast.officer.actor, now=now_utc())


def end_reference(estate: Estate) -> None:
    values = estate.homes["gathering"].values
    referee = db.session.get_one(Referee, values["asked_id"])
    today = today_in_london()
    referees.withdraw_referee(
        db.session.get_one(Case, referee.case_id), referee, why="replaced", actor=estate.cast.officer.actor,
        now=now_utc(), today=today, rulebook=policy.rulebook_on(today),
    )  # fmt: skip


def end_code(estate: Estate) -> None:
    signing_in.forget_ended_before(now_utc() + signing_in.SENT_GOOD_FOR + timedelta(seconds=1))


LINKS = {
    "sign_in_code": Link("our_sign_in.type_code", "/my/sign-in/code/{}", end_code),
    "come_back": Link("enquire.come_back", "/enquire/return/{}", end_come_back),
    "invitation": Link("access.accept_invitation", "/invitation/{}", end_invitation),
    "reset": Link("access.reset_password", "/reset-password/{}", end_reset),
    "feed": Link("calendars.feed", "/feed/{}.ics", end_feed),
    "place": Link("meet.place", "/events/my-place/{}", end_place),
    # tests/visits/test_own_link.py asks each page of it.
    "visit": Link(
        "our_visit.show",
        "/visit/{}",
        end_visit_link,
        more=("our_visit.times", "our_visit.confirm", "our_visit.cancel", "our_visit.other_times", "our_visit.asked"),
    ),
    # tests/assessments/test_referees.py asks each page of it.
    "reference": Link(
        "reference.start", "/reference/{}", end_reference, more=("reference.step", "reference.check", "reference.later")
    ),
    "stop": Link("portal.stop", "/stop/{}", end_contact_links),
    "confirm": Link("portal.confirm_email", "/confirm-email/{}", end_contact_links),
}


def test_every_secret_link_of_the_product_is_asked(app: flask.Flask) -> None:
    with_secret = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if {"token"} & rule.arguments and "GET" in (rule.methods or ())
    }

    assert with_secret == {page for link in LINKS.values() for page in (link.endpoint, *link.more)}
    assert {e for e in app.view_functions if (d := guards.declared_for(app, e)) and d.audience == "own_key"} == {
        "calendars.feed",
        # Asked in tests/calendars/test_caldav.py: a calendar program shows its password in a header.
        "caldav.root",
        "caldav.home",
        "caldav.calendar",
        "caldav.event",
        "caldav.change_event",
        "caldav.elsewhere",
        # Asked in tests/events/test_kit.py: their secret comes in a header, not in the address.
        "kit.names",
        "kit.take_entries",
        # Likewise, in tests/visits/test_phones.py.
        "visit_phone.take_entries",
        # A website shows its key in a header: no address of it holds a secret.
        "intake.hand_in",
        "intake.wordings",
    }


@pytest.mark.parametrize("kind", LINKS)
def test_a_secret_link_is_long_kept_as_a_digest_and_good_for_one_thing(
    app: flask.Flask, estate: Estate, walker: Walker, at_first: Rows, kind: str
) -> None:
    secret = estate.secrets[kind]

    assert len(secret) * BITS_OF_A_CHARACTER >= BITS_AT_LEAST
    assert [
        table for table, rows in at_first.items() for row in rows.values() if secret in "|".join(map(str, row.values()))
    ] == []
    stranger = walker.member("stranger")
    assert stranger.get(LINKS[kind].path.format(secret)).status_code == 200
    for other, link in LINKS.items():
        if other != kind:
            assert stranger.get(link.path.format(secret)).status_code == 404


@pytest.mark.parametrize("kind", LINKS)
def test_looking_at_a_secret_link_spends_nothing_and_leaves_no_trace(
    app: flask.Flask, estate: Estate, walker: Walker, undone: Any, at_first: Rows, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture, kind: str,
) -> None:  # fmt: skip
    secret = estate.secrets[kind]
    path = LINKS[kind].path.format(secret)
    stranger = walker.member("stranger")
    with undone() as change:
        for _ in range(LOOKS):
            stranger.head(path)
            answer = stranger.get(path, headers={"User-Agent": "LinkScanner/1.0"})
            assert answer.status_code == 200
        assert set(change.rows(at_first)) <= {"audit_entry"}
        trail = [row for _, row in change.rows(at_first).get("audit_entry", [])]
        assert secret not in str(trail)

    assert "no-store" in answer.headers["Cache-Control"]
    assert "noindex" in answer.headers["X-Robots-Tag"]
    # A page may send the address it stands at to our own pages alone; a feed to nobody.
    assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    if answer.mimetype == "text/html":
        outside = [link["href"] for link in answer.page.all("a", None) if link.get("href").startswith("http")]
        assert outside == []
    written = capsys.readouterr()
    assert secret not in written.out + written.err + caplog.text


@pytest.mark.parametrize("kind", LINKS)
def test_a_secret_link_is_ended_now(app: flask.Flask, estate: Estate, walker: Walker, undone: Any, kind: str) -> None:
    path = LINKS[kind].path.format(estate.secrets[kind])
    with undone():
        with app.app_context(), transaction():
            LINKS[kind].end(estate)
        ended = walker.member("stranger").get(path)
        never = walker.member("stranger").get(LINKS[kind].path.format("x" * 43))

    assert ended.status_code == never.status_code == 404
    assert ended.page.text == never.page.text
