"""Panel papers: one household in a file, to members by name, until the day after; and what never stands in them."""

from __future__ import annotations

import re
import threading
from datetime import date, timedelta
from io import BytesIO

import pikepdf
import pypdf
import pytest
from sqlalchemy import select

from crm.assessments import meetings, pack_worker, packs, stage_two
from crm.assessments.household import NewMember
from crm.assessments.models import PanelItem
from crm.assessments.pack_contents import contents_of, digest_of
from crm.assessments.pack_models import PackState, PanelPack, PanelPackCopy, WhyWithdrawn
from crm.assessments.packs import PapersNotReady
from crm.assessments.referee_models import Referee, View
from crm.audit import AuditEntry
from crm.cases.change_stage import CaseHasMovedOn
from crm.cases.models import Case, PersonRole
from crm.cases.open_case import NewPerson
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.files.models import StoredFile
from crm.rules.permissions import NotPermitted
from tests.assessments.journey import to_the_invitation

OFFENCE, HEALTH, NUMBER = "CANARY-OFFENCE", "CANARY-HEALTH", "009988776655"
REFEREE, TALK = "CANARY-REFEREE", "CANARY-TALK"
OBSERVED = "Sam would like it said that he can cook."


def to_an_agenda(j):
    """A couple and a grown-up daughter, with something known of each, before the panel of Wednesday 16 September."""
    j.on("2026-03-03").walk(to_the_invitation)
    j.on("2026-03-18").applied(
        members=(NewMember(given_name="Kezia", family_name="Whitlock", role=PersonRole.HOUSEHOLD_ADULT,
                           born_on=date(2005, 5, 5)),)
    ).assessing()  # fmt: skip
    j.obtain(j.check("dbs", "Sam"), result="discussed", outcome=OFFENCE, dbs_number=NUMBER)
    j.obtain(j.check("health_report", "Priya"), result="discussed", outcome=HEALTH)
    j.obtain_all().passed().stage_two().report().shared()
    j.do(stage_two.record_observations, j.case, by=j.cast.officer, received_on=j.today, text=OBSERVED)
    j.ready()
    j.on("2026-09-02")
    j.listed(j.meeting("2026-09-16"))


@pytest.fixture
def listed(journey):
    return journey.walk(to_an_agenda)


def text_of(pdf: bytes) -> str:
    """All words of a PDF, as they are read out."""
    return " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(pdf)).pages).split())


def address(j, pack) -> str:
    return f"/cases/{j.case.reference}/panel/papers/{pack.id}"


def papers_page(j) -> str:
    return f"/panel/{j.item().meeting_id}?item={j.item().id}"


# --- What stands in them ----------------------------------------------------------------------------------------------


def test_they_say_what_the_panel_weighs_and_leave_out_what_a_file_must_not_carry(listed):
    pack = listed.papers_made()
    content = packs.content_of(pack)
    text = text_of(content)

    assert "Rests on" in text
    assert "A letter from the school: fact" in text.replace("Fact", "fact")
    assert "What supports the report" in text
    for words in (
        listed.case.reference, "Priya", "Sam", "Kezia", "Wednesday 16 September 2026", "About personality.",
        OBSERVED, HEALTH, "Enhanced DBS", "enhanced level", "In confidence",
    ):  # fmt: skip
        assert words in text, words
    people = listed.case.household.people
    private = [OFFENCE, NUMBER, listed.case.household.postcode,
               *(one.email for one in people if one.email), *(one.phone for one in people if one.phone),
               *(f"{one.born_on.day} {one.born_on:%B %Y}" for one in people if one.born_on)]  # fmt: skip
    for words in private:
        assert words not in text, words
    assert pack.pages == len(pikepdf.open(BytesIO(content)).pages)


def test_a_reference_stands_in_them_with_what_was_said_when_they_talked(listed):
    check = listed.check("referees", "Priya")
    with transaction():
        referee = Referee(
            case_id=listed.case.id, application_id=check.application_id, person_id=check.person_id, check_id=check.id,
            relation="friend", named_at=now_utc(), held_on=listed.today, interviewer_id=listed.cast.officer.id,
        )  # fmt: skip
        referee.name, referee.email = "Rosa Marsh", "rosa@example.org"
        referee.account, referee.view = TALK, View.SUPPORTS
        db.session.add(referee)
    text = text_of(packs.content_of(listed.papers_made()))

    assert "Rosa Marsh, for Priya" in text
    assert TALK in text
    assert "rosa@example.org" not in text


def test_they_are_one_tagged_file_about_one_household(listed, make_another):
    other = make_another(listed)
    content = packs.content_of(listed.papers_made())
    with pikepdf.open(BytesIO(content)) as pdf:
        assert pdf.Root.MarkInfo.Marked
        assert "/StructTreeRoot" in pdf.Root
        assert str(pdf.Root.Lang).startswith("en")
        assert "Papers for panel" in str(pdf.docinfo.get("/Title", "")) or "Papers for panel" in str(
            pdf.open_metadata().get("dc:title")
        )
    text = text_of(content)
    assert other.case.reference not in text
    assert other.case.household.name not in text


@pytest.fixture
def make_another(listed):
    """Another household, on the same agenda."""

    def make(first):
        from tests.assessments.journey import Journey

        other = Journey(first.cast, first.freeze, first.database)
        other.panel, other.second_manager = first.panel, first.second_manager
        first.look_again()
        meeting = first.item().meeting
        other.on("2026-03-03").invited(
            NewPerson(given_name="Orla", family_name="Fenwick", email="orla.fenwick@example.org", phone="07700 900555")
        )
        other.on("2026-03-18").applied().assessing().obtain_all().passed().stage_two().report().shared().observed()
        other.ready().on("2026-09-02").listed(meeting)
        first.on("2026-09-02")
        return other

    return make


# --- Put together -----------------------------------------------------------------------------------------------------


def test_asked_for_twice_they_are_put_together_once(listed):
    for _again in range(2):
        listed.do(packs.ask_for_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)
    listed.look_again()
    assert pack_worker.make_next(now_utc())
    assert not pack_worker.make_next(now_utc())
    listed.look_again()
    assert [(one.number, one.state) for one in packs.packs_of(listed.item())] == [(1, "ready")]


def test_papers_that_nobody_was_given_are_dropped_for_newer_ones(listed):
    listed.papers_made()
    newer = listed.papers_made()
    assert [one.number for one in packs.packs_of(listed.item())] == [2]
    assert newer.number == 2
    assert len(db.session.scalars(select(StoredFile.id)).all()) == 1


def test_what_fails_is_tried_again_and_then_said(listed, client, monkeypatch, freeze):
    listed.do(packs.ask_for_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)

    def broken(*_args, **_kwargs):
        raise RuntimeError("no fonts")

    monkeypatch.setattr(pack_worker, "lay_out", broken)
    for _try in range(pack_worker.MOST_TRIES):
        listed.look_again()
        assert pack_worker.make_next(now_utc())
        listed.look_again()
        assert not pack_worker.make_next(now_utc())
        freeze(now_utc() + timedelta(minutes=2))
    listed.look_again()
    assert [one.state for one in packs.packs_of(listed.item())] == [PackState.FAILED]
    client.sign_in(listed.cast.panel_administrator)
    page = client.get(papers_page(listed)).page
    assert "could not be put together" in page.text
    monkeypatch.undo()
    assert listed.papers_made().state == PackState.READY


def test_a_worker_that_dies_over_them_leaves_them_to_the_next(listed, freeze):
    listed.do(packs.ask_for_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)
    listed.look_again()
    with transaction():
        assert pack_worker._claim(now_utc()) is not None
    listed.look_again()
    assert not pack_worker.make_next(now_utc())
    freeze(now_utc() + pack_worker.LEASE + timedelta(seconds=1))
    assert pack_worker.make_next(now_utc())
    listed.look_again()
    assert packs.packs_of(listed.item())[0].state == PackState.READY


def test_a_worker_that_dies_while_it_lays_them_out_leaves_them_to_the_next(listed, freeze, monkeypatch):
    listed.do(packs.ask_for_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)
    listed.look_again()

    def killed(*_args, **_kwargs):
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(pack_worker, "lay_out", killed)
        with pytest.raises(SystemExit):
            pack_worker.make_next(now_utc())
    listed.look_again()
    assert [one.step for one in packs.packs_of(listed.item())] == ["laying_out"]
    assert not pack_worker.make_next(now_utc())
    freeze(now_utc() + pack_worker.LEASE + timedelta(seconds=1))
    assert pack_worker.make_next(now_utc())
    listed.look_again()
    assert [(one.number, one.state) for one in packs.packs_of(listed.item())] == [(1, "ready")]
    assert len(db.session.scalars(select(StoredFile.id)).all()) == 1


def at_once(app, do) -> list[Exception]:
    """Two do it at the same time, each with a session of its own: what was refused or went wrong."""
    begin, faults = threading.Barrier(2), []

    def run() -> None:
        with app.app_context():
            try:
                begin.wait(10)
                do()
            except Exception as fault:
                faults.append(fault)
            finally:
                db.session.remove()

    racers = [threading.Thread(target=run) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    return faults


def test_two_workers_put_them_together_once(app, listed, monkeypatch):
    listed.do(packs.ask_for_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)
    listed.look_again()
    now, laid_out, lay_out = now_utc(), [], pack_worker.lay_out

    def counted(*args, **kwargs):
        laid_out.append(1)
        return lay_out(*args, **kwargs)

    monkeypatch.setattr(pack_worker, "lay_out", counted)
    assert at_once(app, lambda: pack_worker.make_next(now)) == []
    listed.look_again()
    assert [one.state for one in packs.packs_of(listed.item())] == [PackState.READY]
    assert laid_out == [1]


def test_given_by_two_at_once_each_member_has_one_copy_and_one_letter(app, listed):
    listed.papers_made()
    case_id, item_id, now = listed.case.id, listed.item().id, now_utc()
    listed.look_again()

    def give() -> None:
        with transaction():
            meetings.send_papers(
                db.session.get_one(Case, case_id), db.session.get_one(PanelItem, item_id), now=now, today=listed.today,
                actor=listed.cast.panel_administrator.actor, rulebook=listed.rulebook,
            )  # fmt: skip

    faults = at_once(app, give)
    listed.look_again()
    copies = [copy.user_id for copy in db.session.scalars(select(PanelPackCopy))]
    written = [one.user_id for one in db.session.scalars(
        select(OutboundMessage).where(OutboundMessage.kind == "panel_papers"))]  # fmt: skip
    assert len(copies) == len(set(copies)) == len(listed.item().meeting.members)
    assert sorted(written) == sorted(copies)
    # The second is told so: that the members have them or, where it had looked before, that the case has moved on.
    assert [type(one) for one in faults] in ([meetings.NotOnThisAgenda], [CaseHasMovedOn])


def test_off_the_agenda_they_are_not_put_together(listed):
    listed.do(packs.ask_for_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)
    item_id = listed.item().id
    listed.do(meetings.defer_item, listed.case, listed.item(), reasons="More is needed.",
              by=listed.cast.panel_administrator)  # fmt: skip
    listed.look_again()
    assert not pack_worker.make_next(now_utc())
    assert packs.packs_of(db.session.get_one(PanelItem, item_id)) == []


# --- Given out --------------------------------------------------------------------------------------------------------


def test_they_are_given_by_name_and_each_member_is_written_to(listed):
    pack = listed.papers_given()
    listed.look_again()
    seated = {member.user_id for member in listed.item().meeting.members}

    assert {copy.user_id for copy in packs.packs_of(listed.item())[0].copies} == seated
    sent = db.session.scalars(select(OutboundMessage).where(OutboundMessage.kind == "panel_papers")).all()
    assert {one.user_id for one in sent} == seated
    people = [one.given_name for one in listed.case.household.people]
    for one in sent:
        body = (one.payload or b"").decode("utf-8", "replace") + (one.subject or "")
        assert listed.case.reference not in body
        assert listed.case.household.name not in body
        assert not [name for name in people if re.search(rf"\b{name}\b", body)]
    assert listed.due("panel_papers") is None
    assert pack.number == 1


def test_without_papers_nothing_can_be_given(listed):
    with pytest.raises(PapersNotReady, match="Put the papers together first"):
        listed.do(meetings.send_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)
    listed.look_again()
    assert listed.item().papers_sent_on is None


def test_papers_that_were_overtaken_are_not_given(listed):
    listed.papers_made()
    listed.obtain(listed.checks()[0], outcome="Looked at again.")
    with pytest.raises(PapersNotReady, match="has changed since"):
        listed.do(meetings.send_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)
    listed.look_again()
    assert listed.papers_given().number == 2


def test_late_papers_want_the_reason_and_newer_ones_do_not(listed):
    listed.on("2026-09-10").papers_made()
    with pytest.raises(meetings.ReasonForLatenessMissing):
        listed.do(meetings.send_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)
    listed.look_again()
    listed.do(meetings.send_papers, listed.case, listed.item(), by=listed.cast.panel_administrator,
              late_reason="A reference came late.")  # fmt: skip
    listed.on("2026-09-11")
    first = packs.packs_of(listed.item())[0]
    newer = listed.papers_given()
    listed.look_again()
    assert listed.item().papers_sent_on == date(2026, 9, 10)
    assert {copy.why_withdrawn for copy in db.session.get_one(PanelPack, first.id).copies} == {"newer"}
    assert {copy.why_withdrawn for copy in db.session.get_one(PanelPack, newer.id).copies} == {None}
    with pytest.raises(meetings.NotOnThisAgenda, match="have these papers already"):
        listed.do(meetings.send_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)


def test_only_who_runs_the_panel_has_them_made_and_gives_them(listed, client):
    for member in (listed.cast.officer, listed.cast.manager, listed.cast.panel_member, listed.cast.administrator):
        with pytest.raises(NotPermitted):
            listed.do(packs.ask_for_papers, listed.case, listed.item(), by=member)
        listed.look_again()


# --- Opened, and closed again -----------------------------------------------------------------------------------------


def test_a_member_opens_their_own_copy_and_the_look_is_recorded(listed, client):
    pack = listed.papers_given()
    member = listed.panel["teacher"]
    client.sign_in(member)
    page = client.get(papers_page(listed)).page
    assert "Your copy is open until Thursday 17 September" in page.text

    answer = client.get(address(listed, pack))

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.data == packs.content_of(pack)
    listed.look_again()
    looks = db.session.scalars(
        select(AuditEntry.event).where(AuditEntry.actor_id == member.id, AuditEntry.subject == f"pack:{pack.id}")
    ).all()
    assert {"view.papers", "view.reference", "view.health"} <= set(looks)
    client.sign_in(listed.cast.panel_administrator)
    page = client.get(papers_page(listed)).page
    assert page.text.count("Not opened yet") == len(pack.copies) - 1
    assert "Opened Wed 2 September" in page.text


def test_before_during_and_after_the_meeting(listed, client):
    pack = listed.papers_made()
    client.sign_in(listed.panel["teacher"])
    assert client.get(address(listed, pack)).status_code == 404
    assert "not out yet" in client.get(papers_page(listed)).page.text
    listed.do(meetings.send_papers, listed.case, listed.item(), by=listed.cast.panel_administrator)
    page, opened = papers_page(listed), address(listed, pack)
    for day, status in (("2026-09-02", 200), ("2026-09-16", 200), ("2026-09-17", 200), ("2026-09-18", 404)):
        listed.on(day)
        client.sign_in(listed.panel["teacher"])
        assert client.get(opened).status_code == status, day
    client.sign_in(listed.cast.panel_administrator)
    text = client.get(page).page.text
    assert "They closed on Thursday 17 September" in text
    assert "Never opened" in text


def test_an_interest_closes_the_papers_at_once(listed, client):
    pack = listed.papers_given()
    member = listed.panel["teacher"]
    listed.do(meetings.declare_conflict, listed.case, listed.item(), user_id=member.id, what="A neighbour",
              by=member, rulebook=False)  # fmt: skip
    client.sign_in(member)
    assert client.get(address(listed, pack)).status_code == 404
    newer = listed.papers_given()
    assert client.get(address(listed, newer)).status_code == 404
    assert member.id not in {copy.user_id for copy in newer.copies}


def test_a_copy_closes_by_itself_whatever_else_is_open(listed):
    """The household closes to a member on the same days; the copy does not lean on that."""
    pack = listed.papers_given()
    item, member, gone = listed.item(), listed.panel["teacher"], listed.panel["chair"]
    until = packs.open_until(item)

    def opens(who, day=None):
        return packs.may_open(who.actor, listed.case, item, pack, today=day or listed.today)

    assert opens(member)
    assert opens(member, until)
    assert not opens(member, until + timedelta(days=1))
    with transaction():
        packs.take_back(item, WhyWithdrawn.INTEREST, now=now_utc(), user_ids=(gone.id,))
    assert not opens(gone)
    assert opens(member)
    listed.do(meetings.declare_conflict, listed.case, item, user_id=member.id, what="A neighbour", by=member,
              rulebook=False)  # fmt: skip
    listed.look_again()
    again = packs.packs_of(listed.item())[0]
    assert {copy.user_id: copy.why_withdrawn for copy in again.copies}[member.id] == "interest"


def test_who_is_seated_later_has_them_and_who_is_unseated_has_not(listed, client):
    pack = listed.papers_given()
    meeting = listed.item().meeting
    before = [member.user_id for member in meeting.members]
    leaves, comes = listed.panel["teacher"], next(m for m in listed.panel.values() if m.id not in before)
    listed.do(meetings.seat_members, meeting, [*(one for one in before if one != leaves.id), comes.id],
              by=listed.cast.panel_administrator, rulebook=False)  # fmt: skip
    for member, status in ((leaves, 404), (comes, 200)):
        client.sign_in(member)
        assert client.get(address(listed, pack)).status_code == status, member.name
    sent = db.session.scalars(
        select(OutboundMessage).where(OutboundMessage.kind == "panel_papers", OutboundMessage.user_id == comes.id)
    ).all()
    assert len(sent) == 1


def test_a_household_put_off_before_the_meeting_closes_them(listed, client):
    pack = listed.papers_given()
    listed.do(meetings.defer_item, listed.case, listed.item(), reasons="More is needed.",
              by=listed.cast.panel_administrator)  # fmt: skip
    listed.look_again()
    assert {one.why_withdrawn for one in db.session.scalars(select(PanelPackCopy))} == {"off_agenda"}
    client.sign_in(listed.panel["teacher"])
    assert client.get(address(listed, pack)).status_code == 404
    client.sign_in(listed.cast.manager)
    assert client.get(address(listed, pack)).status_code == 200


def test_who_may_open_them_by_role(listed, client):
    pack = listed.papers_given()
    opens = {
        "officer": 200, "manager": 200, "panel_administrator": 404, "decision_maker": 404, "recruiter": 404,
        "other_officer": 404, "panel_member": 404, "administrator": 403,
    }  # fmt: skip
    for key, status in opens.items():
        client.sign_in(getattr(listed.cast, key))
        assert client.get(address(listed, pack)).status_code == status, key


def test_papers_of_another_household_are_not_there(listed, client, make_another):
    other = make_another(listed)
    pack = other.papers_given()
    client.sign_in(listed.cast.manager)
    assert client.get(address(other, pack)).status_code == 200
    assert client.get(f"/cases/{listed.case.reference}/panel/papers/{pack.id}").status_code == 404


# --- On screen --------------------------------------------------------------------------------------------------------


def test_made_watched_and_given_on_screen(listed, client):
    client.sign_in(listed.cast.panel_administrator)
    page = client.get(papers_page(listed)).page
    client.submit(page, button="Put the papers together")
    page = client.get(papers_page(listed)).page
    assert "Waiting for its turn" in page.text
    asks = {"path": f"/cases/{listed.case.reference}/panel/papers/progress", "headers": {"HX-Request": "true"}}
    assert "HX-Refresh" not in client.get(**asks).headers
    listed.look_again()
    pack_worker.make_next(now_utc())
    assert client.get(**asks).headers["HX-Refresh"] == "true"
    page = client.get(papers_page(listed)).page
    assert "Ready to give to the members" in page.text
    assert "Open the papers" not in page.text
    client.submit(page, button="Give them to the members")
    listed.look_again()
    assert listed.item().papers_sent_on == date(2026, 9, 2)
    assert "Not opened yet" in client.get(papers_page(listed)).page.text


def test_a_stale_page_gives_nothing(listed, client):
    listed.papers_made()
    client.sign_in(listed.cast.panel_administrator)
    page = client.get(papers_page(listed)).page
    listed.obtain(listed.checks()[0], outcome="Looked at again.")
    answer = client.submit(page, button="Give them to the members")
    assert answer.status_code == 422
    assert "changed" in answer.page.text
    listed.look_again()
    assert listed.item().papers_sent_on is None


def test_the_same_things_on_file_give_the_same_digest(listed):
    item = listed.item()
    first = digest_of(contents_of(listed.case, item, now=now_utc()))
    listed.look_again()
    assert digest_of(contents_of(listed.case, listed.item(), now=now_utc())) == first
    listed.obtain(listed.checks()[0], outcome="Looked at again.")
    assert digest_of(contents_of(listed.case, listed.item(), now=now_utc())) != first
