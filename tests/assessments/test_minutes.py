"""Minutes of an item: whoever chaired signs these words and no others, or asks to have them put right."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from crm.access.queries import user_with
from crm.assessments import decisions, meetings, minutes_signing, queries
from crm.assessments.minutes_models import EarlierMinutes, MinutesCorrection, MinutesSignature
from crm.assessments.minutes_signing import MinutesNotAsRead, MinutesNotPossible, digest_of_minutes
from crm.assessments.queries import NothingThere
from crm.assessments.steps import DayNotPossible
from crm.audit import AuditEntry
from crm.cases.change_stage import CaseHasMovedOn
from crm.cases.models import Task, TimelineEntry
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.delivery.queries import email_parts
from crm.rules.permissions import NotPermitted
from tests.assessments.journey import to_the_decision_maker
from tests.assessments.test_pages import day_fields
from tests.assessments.test_panel_papers import at_once

WORDS = "The panel talked about their home."
BETTER = "The panel talked about their home, and about the stairs."


@pytest.fixture
def sent(journey):
    """With the decision maker since the day panel met. Its chair presided; a vice-chair sat at no meeting."""
    return journey.walk(to_the_decision_maker)


def item_of(j):
    j.look_again()
    return queries.items_of(j.case)[0]


def signs(j, who="chair", words=WORDS):
    return j.do(minutes_signing.sign_minutes, item_of(j), read=digest_of_minutes(words), by=j.panel[who],
                rulebook=False)  # fmt: skip


def put_right(j, words=BETTER, **more):
    j.look_again()
    return j.do(minutes_signing.put_right, j.case, minutes=words, by=j.cast.panel_administrator, **more)


def asks(j, words="The stairs were talked about too."):
    return j.do(minutes_signing.ask_for_correction, item_of(j), words=words, by=j.panel["chair"])


def standing(j):
    return minutes_signing.standing_of(item_of(j))


def address(j):
    return f"/panel/minutes/{item_of(j).id}"


# --- The chair signs --------------------------------------------------------------------------------------------------


def test_whoever_chaired_signs_on_a_page_of_their_own_after_the_papers_have_closed(sent, client):
    j = sent.on(sent.today + timedelta(days=6))
    client.sign_in(j.panel["chair"])
    assert client.get(f"/cases/{j.case.reference}").status_code == 404
    assert "Minutes for you to sign" in client.get("/panel").page.text
    page = client.get(address(j)).page
    assert WORDS in page.text
    assert "The panel was impressed by their openness." in page.text

    unticked = client.submit(page, to=address(j), button="Sign the minutes")
    assert unticked.page.errors == ["Tick that the minutes are right, or ask for a correction"]
    done = client.submit(page, to=address(j), button="Sign the minutes", is_right="y", follow=True)

    said = f"Signed by Ruth Adeyemi, {j.today:%A} {j.today.day} {j.today:%B %Y}"
    assert said in done.page.text
    assert "Minutes for you to sign" not in client.get("/panel").page.text
    j.look_again()
    [row] = db.session.scalars(select(MinutesSignature))
    assert (row.chair_id, row.how, row.digest) == (j.panel["chair"].id, "signed_in", digest_of_minutes(WORDS))
    for member, path in (
        (j.cast.panel_administrator, f"/panel/{item_of(j).meeting_id}"),
        (j.cast.panel_administrator, f"/cases/{j.case.reference}/panel/minutes"),
        (j.cast.manager, f"/cases/{j.case.reference}/assessment"),
        (j.cast.decision_maker, f"/cases/{j.case.reference}/decision"),
    ):
        client.sign_in(member)
        assert said in client.get(path).page.text, path


def test_it_stands_in_the_audit_trail_and_in_the_story(sent):
    signs(sent)
    sent.look_again()
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.event == "panel.minutes_signed")).one()
    assert entry.actor_id == sent.panel["chair"].id
    assert entry.case_id == sent.case.id
    assert entry.detail["digest"] == digest_of_minutes(WORDS)
    assert "The chair signed the panel’s minutes" in set(db.session.scalars(select(TimelineEntry.title)))


def test_the_decision_waits_for_no_signature_and_its_page_says_that_there_is_none(sent, client):
    client.sign_in(sent.cast.decision_maker)
    assert "Not signed by Ruth Adeyemi yet" in client.get(f"/cases/{sent.case.reference}/decision").page.text
    sent.decided()
    assert sent.stage("application") == "approved"


def test_the_chair_is_written_to_and_the_letter_names_nobody(sent):
    sent.look_again()
    [letter] = db.session.scalars(select(OutboundMessage).where(OutboundMessage.kind == "minutes_to_sign"))
    assert letter.user_id == sent.panel["chair"].id
    text = email_parts(letter).text
    assert f"/panel/minutes/{item_of(sent).id}" in text
    for words in (sent.case.reference, "Nair", "Whitlock", "Priya", "Sam"):
        assert words not in f"{letter.subject} {text}", words


@pytest.mark.parametrize("who", ["social_worker", "vice_chair"])
def test_to_whoever_did_not_chair_the_minutes_are_not_there(sent, client, who):
    client.sign_in(sent.panel[who])
    missing = client.get("/panel/minutes/999999")
    theirs = client.get(address(sent))
    assert (theirs.status_code, missing.status_code) == (404, 404)
    assert theirs.page.text == missing.page.text
    with pytest.raises(NothingThere):
        signs(sent, who)
    with pytest.raises(NothingThere):
        sent.do(minutes_signing.ask_for_correction, item_of(sent), words="No.", by=sent.panel[who])
    assert standing(sent).signature is None


def test_nobody_but_a_panel_member_signs(sent, client):
    for member in (sent.cast.panel_administrator, sent.cast.decision_maker, sent.cast.manager):
        client.sign_in(member)
        assert client.get(address(sent)).status_code == 403
        with pytest.raises(NotPermitted):
            sent.do(minutes_signing.sign_minutes, item_of(sent), read=digest_of_minutes(WORDS), by=member,
                    rulebook=False)  # fmt: skip


def test_a_vice_chair_who_presided_signs_and_the_chair_who_was_there_does_not(journey):
    j = journey.on("2026-03-02").in_assessment().obtain_all().passed().stage_two().report().shared().observed().ready()
    j.listed(j.meeting("2026-03-30", ("chair", "social_worker", "carer_member", "teacher", "vice_chair")))
    j.on("2026-03-30")
    item = j.item()
    j.do(
        meetings.record_attendance, j.case, item, {m.user_id: "present" for m in item.meeting.members},
        presiding_id=j.panel["vice_chair"].id, by=j.cast.panel_administrator, rulebook=False,
    )  # fmt: skip
    j.do(
        meetings.record_recommendation, j.case, item, meetings.Recommended(recommendation="suitable", reasons="Open."),
        by=j.cast.panel_administrator,
    )  # fmt: skip
    j.minutes()
    with pytest.raises(NothingThere):
        signs(j, "chair")
    assert [one.id for one in minutes_signing.waiting_for(j.panel["vice_chair"].actor)] == [item_of(j).id]
    signs(j, "vice_chair")
    assert minutes_signing.waiting_for(j.panel["vice_chair"].actor) == []


def test_before_they_are_final_there_is_nothing_to_sign(journey, client):
    j = journey.on("2026-03-02").at_panel()
    client.sign_in(j.panel["chair"])
    assert client.get(address(j)).status_code == 404
    assert minutes_signing.waiting_for(j.panel["chair"].actor) == []


def test_signed_by_two_windows_at_once_there_is_one_signature(app, sent):
    item_id, chair, now, today = item_of(sent).id, sent.panel["chair"].actor, now_utc(), sent.today
    sent.look_again()

    def sign() -> None:
        with transaction():
            item = minutes_signing.own_minutes(item_id, actor=chair)
            minutes_signing.sign_minutes(item, read=digest_of_minutes(WORDS), actor=chair, now=now, today=today)

    faults = at_once(app, sign)
    sent.look_again()
    assert [type(one) for one in faults] == [MinutesNotAsRead]
    assert len(db.session.scalars(select(MinutesSignature)).all()) == 1


# --- Put right --------------------------------------------------------------------------------------------------------


def test_what_the_chair_asks_for_is_a_task_of_whoever_runs_the_panel(sent, client):
    client.sign_in(sent.panel["chair"])
    page = client.get(address(sent)).page
    empty = client.submit(page, to=f"{address(sent)}/correction", button="Ask for this correction")
    assert empty.page.errors == ["Write what is to be put right"]
    client.submit(page, to=f"{address(sent)}/correction", button="Ask for this correction",
                  words="The stairs were talked about too.", follow=True)  # fmt: skip

    sent.look_again()
    task = db.session.scalars(select(Task).where(Task.title.like("%chair asks for a correction%"))).one()
    assert task.assigned_to_id == sent.cast.panel_administrator.id
    assert "stairs" not in task.title
    client.sign_in(sent.cast.panel_administrator)
    page = client.get(f"/cases/{sent.case.reference}/panel/minutes").page
    assert "The stairs were talked about too." in page.text
    done = client.submit(page, to=f"/cases/{sent.case.reference}/panel/minutes/put-right", button="Keep these words",
                         minutes=BETTER, follow=True)  # fmt: skip
    assert BETTER in done.page.text
    assert WORDS in done.page.text, "what they said before is kept"
    sent.look_again()
    assert db.session.get_one(Task, task.id).done_at is not None
    assert standing(sent).correction is None
    client.sign_in(sent.panel["chair"])
    client.submit(client.get(address(sent)).page, to=address(sent), button="Sign the minutes", is_right="y")
    assert standing(sent).signature.digest == digest_of_minutes(BETTER)


def test_minutes_changed_after_the_signature_need_signing_again(sent, client):
    signs(sent)
    assert standing(sent).signature is not None
    put_right(sent)

    assert standing(sent).signature is None
    [row] = db.session.scalars(select(MinutesSignature))
    assert row.lapsed_on == sent.today
    [before] = db.session.scalars(select(EarlierMinutes))
    assert before.words == WORDS
    letters = db.session.scalars(select(OutboundMessage).where(OutboundMessage.kind == "minutes_to_sign")).all()
    assert len(letters) == 2
    client.sign_in(sent.cast.decision_maker)
    assert "they were put right, so they need signing again" in client.get(
        f"/cases/{sent.case.reference}/decision"
    ).page.text  # fmt: skip
    signs(sent, words=BETTER)
    assert standing(sent).signature is not None


def test_words_that_were_changed_while_the_chair_read_are_not_signed(sent, client):
    client.sign_in(sent.panel["chair"])
    page = client.get(address(sent)).page
    put_right(sent)
    refused = client.submit(page, to=address(sent), button="Sign the minutes", is_right="y")
    assert "changed while you read them" in refused.page.text
    assert BETTER in refused.page.text
    assert standing(sent).signature is None
    client.submit(refused.page, to=address(sent), button="Sign the minutes", is_right="y")
    assert standing(sent).signature.digest == digest_of_minutes(BETTER)


def test_words_changed_behind_the_signature_are_not_shown_as_signed(sent):
    signs(sent)
    with transaction():
        item_of(sent).minutes = "Quite other words."
    assert standing(sent).signature is None
    assert minutes_signing.signed_ids([item_of(sent)]) == frozenset()


def test_whoever_decides_on_the_words_before_is_told_that_the_case_has_moved_on(sent):
    sent.look_again()
    seen = sent.case.version
    put_right(sent)
    with pytest.raises(CaseHasMovedOn):
        sent.do(decisions.decide, sent.case, sent.considered(), by=sent.cast.decision_maker, seen=seen)


def test_a_signature_settles_what_was_asked(sent):
    asks(sent)
    with pytest.raises(MinutesNotAsRead):
        asks(sent)
    signs(sent)
    sent.look_again()
    assert db.session.scalars(select(MinutesCorrection)).one().settled_at is not None
    assert standing(sent).correction is None


def test_words_that_change_nothing_are_refused_and_so_are_none(sent):
    for words in (WORDS, f"  {WORDS} ", "  "):
        with pytest.raises(MinutesNotPossible):
            put_right(sent, words)
    with pytest.raises(NotPermitted):
        sent.do(minutes_signing.put_right, sent.case, minutes=BETTER, by=sent.panel["chair"])


# --- On paper ---------------------------------------------------------------------------------------------------------


def test_a_signature_on_paper_is_recorded_with_its_day(sent, client):
    met = sent.today
    sent.on(met + timedelta(days=5))
    client.sign_in(sent.cast.panel_administrator)
    base = f"/cases/{sent.case.reference}/panel/minutes"
    page = client.get(base).page
    for day, words in (
        (met - timedelta(days=1), "The chair can’t have signed before the meeting."),
        (sent.today + timedelta(days=1), "The day the chair signed can’t be after today."),
    ):
        refused = client.submit(page, to=f"{base}/on-paper", button="Keep this signature",
                                **day_fields("signed_on", day))  # fmt: skip
        assert refused.page.errors == [words]
    done = client.submit(page, to=f"{base}/on-paper", button="Keep this signature", follow=True,
                         **day_fields("signed_on", met + timedelta(days=2)))  # fmt: skip
    assert "on paper: recorded by" in done.page.text
    row = standing(sent).signature
    assert (row.chair_id, row.recorded_by_id) == (sent.panel["chair"].id, sent.cast.panel_administrator.id)
    assert row.signed_on == met + timedelta(days=2)


def test_paper_signed_before_the_words_were_put_right_covers_other_words(sent):
    met = sent.today
    sent.on(met + timedelta(days=5))
    put_right(sent)
    with pytest.raises(DayNotPossible, match="covers other words"):
        sent.do(minutes_signing.record_paper_signature, sent.case, signed_on=met, by=sent.cast.panel_administrator)
    sent.do(
        minutes_signing.record_paper_signature, sent.case, signed_on=sent.today, by=sent.cast.panel_administrator
    )  # fmt: skip
    assert standing(sent).signature is not None


def test_a_chair_who_has_left_is_not_written_to(sent):
    with transaction():
        user_with(sent.panel["chair"].id).active = False
    put_right(sent)
    letters = db.session.scalars(select(OutboundMessage).where(OutboundMessage.kind == "minutes_to_sign")).all()
    assert len(letters) == 1
