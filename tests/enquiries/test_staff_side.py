"""The staff's side of the front door: the queue, logging, talks, screening, resting, closing and opening again."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from crm.cases.models import Case, ContactAttempt, Deadline, Enquiry, Fact, Person, StageChange, TimelineEntry
from crm.cases.queries import visible_cases
from crm.cases.suggest_pairs import suggest_pairs
from crm.db import transaction
from crm.rules.stages import TrackName
from tests.case_factory import PRIYA, couple, make_case

MORNING = "2026-07-14 09:00"


@pytest.fixture
def reference(session, cast, freeze):
    freeze(MORNING)
    with transaction():
        return make_case(cast, facts={"spare_room": "Not yet: son leaving Sept"}).reference


def stage(session, reference):
    session.rollback()
    return session.scalars(select(Case).where(Case.reference == reference)).one().stages[TrackName.ENQUIRY]


def clocks(session, reference):
    session.rollback()
    rows = session.execute(
        select(Deadline.rule, Deadline.due_on)
        .join(Case, Case.id == Deadline.case_id)
        .where(Case.reference == reference, Deadline.stopped_on.is_(None))
    )
    return {row.rule: row.due_on for row in rows}


# --- The queue --------------------------------------------------------------------------------------------------------


def test_an_empty_queue_says_what_comes_here(client, cast):
    client.sign_in(cast.recruiter)

    assert "No enquiries are open" in client.get("/enquiries").text


@pytest.mark.parametrize("key", ["officer", "other_officer", "recruiter", "manager"])
def test_the_queue_shows_exactly_what_may_be_opened(key, client, session, cast, freeze):
    """G13: the queue has statements of its own, and must never show more or less than the rule of who may open what."""
    freeze(MORNING)
    with transaction():
        for number, owner in enumerate((cast.officer, cast.other_officer, cast.recruiter)):
            make_case(cast, people=couple(f"Home{number}", number=300 + 10 * number), owner=owner)
    member = cast.everyone[key]
    client.sign_in(member)

    page = client.get("/enquiries")

    session.rollback()
    allowed = session.scalars(select(Case.reference).where(visible_cases(member.actor, today=date(2026, 7, 14)))).all()
    shown = {link.get("href").rpartition("/")[2] for link in page.page.all("a", class_="ds-name")}
    assert shown == (set(allowed) if page.status_code == 200 else set())


def test_the_queue_shows_the_nearest_clock_first_and_hints_at_a_look_alike(client, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        make_case(cast, people=couple("Later", number=300))
        first = make_case(cast, people=couple("Sooner", number=310), received_at=freeze("2026-07-10 09:00"))
        freeze(MORNING)
        twin = make_case(cast, people=couple("Twin", number=310))
        suggest_pairs(now=freeze(MORNING))
    client.sign_in(cast.recruiter)

    page = client.get("/enquiries")

    assert page.text.index("Sooner") < page.text.index("Later")
    assert f"The same as {twin.reference}?" in page.text
    assert f"The same as {first.reference}?" in page.text
    assert "1 working day over" in page.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"New", "Called"}),
        ("?view=new", {"New"}),
        ("?place=contacted", {"Called"}),
        ("?view=mine", {"New"}),
        ("?channel=web", set()),
        ("?view=not_now", set()),
        ("?view=nonsense&owner=x&after=zz", {"New", "Called"}),
    ],
)
def test_the_filters_of_the_queue_are_links(client, session, cast, freeze, query, shown):
    freeze(MORNING)
    with transaction():
        make_case(cast, people=couple("New", number=300))
        make_case(cast, people=couple("Called", number=310), stage="contacted", owner=cast.manager)
    client.sign_in(cast.recruiter)

    page = client.get(f"/enquiries{query}")

    assert {name for name in ("New", "Called") if f"Priya and Sam {name}" in page.text} == shown


def test_an_officer_sees_only_households_they_have_to_do_with(client, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        make_case(cast, people=couple("Theirs", number=300), officer=cast.officer)
        make_case(cast, people=couple("Others", number=310))
    client.sign_in(cast.officer)

    page = client.get("/enquiries").text

    assert "Theirs" in page
    assert "Others" not in page


def test_the_queue_asks_the_database_the_same_for_3_rows_and_for_30_and_turns_its_pages(
    client, session, cast, freeze, queries
):
    freeze(MORNING)
    client.sign_in(cast.recruiter)
    counts = []
    for number in range(1, 31):
        with transaction():
            make_case(cast, people=couple(f"Family{number:02d}x", number=number * 10))
        if number in (3, 30):
            with queries() as sent:
                page = client.get("/enquiries")
            counts.append(len(sent))

    later = client.get(page.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&"))

    assert counts[0] == counts[1]
    assert len(page.page.all("a", class_="ds-name")) == 20
    assert len(later.page.all("a", class_="ds-name")) == 10


# --- Logging ----------------------------------------------------------------------------------------------------------


def test_a_call_is_logged_on_one_page_with_what_was_said(client, session, cast, freeze):
    freeze(MORNING)
    client.sign_in(cast.recruiter)

    sent = client.submit(
        client.get("/enquiries/new").page,
        button="Log this enquiry",
        given_name="Kofi",
        family_name="Mensah",
        phone="07700 900745",
        postcode="BR1 3KO",
        safe="no_voicemail",
        said="Saw the poster in the library",
        news=["email"],
        is_mine="y",
        follow=True,
    )

    case = session.scalars(select(Case)).one()
    assert (case.owner_id, case.next_action_due_on) == (cast.recruiter.id, date(2026, 7, 15))
    assert "Kofi Mensah is logged as" in sent.text
    kofi = session.scalars(select(Person).where(Person.given_name == "Kofi")).one()
    assert kofi.no_voicemail
    assert session.scalars(select(Enquiry)).one().said == "Saw the poster in the library"


def test_somebody_we_may_know_is_asked_about_before_anything_is_stored(client, session, cast, reference):
    client.sign_in(cast.recruiter)
    typed = {"given_name": "Tom", "family_name": "Osei", "phone": PRIYA.phone, "said": "Rang about his wife"}

    asked = client.submit(client.get("/enquiries/new").page, button="Log this enquiry", **typed)
    assert asked.status_code == 422
    assert "We may know them already" in asked.text
    assert "same mobile" in asked.text
    assert "Rang about his wife" in asked.text
    assert session.scalar(select(func.count()).select_from(Enquiry)) == 1

    joined = client.submit(asked.page, button="Log this enquiry", join=reference)
    session.rollback()
    assert joined.location == f"/cases/{reference}"
    assert session.scalar(select(func.count()).select_from(Case)) == 1
    assert session.scalar(select(func.count()).select_from(Enquiry)) == 2
    names = session.scalars(select(Person.given_name).where(Person.family_name == "Osei").order_by(Person.id)).all()
    assert names == ["Priya", "Tom"]


def test_a_look_alike_may_be_a_household_of_its_own(client, session, cast, reference):
    client.sign_in(cast.recruiter)
    asked = client.submit(
        client.get("/enquiries/new").page, button="Log this enquiry", given_name="Tom", phone=PRIYA.phone
    )

    client.submit(asked.page, button="Log this enquiry", join="new")

    session.rollback()
    assert session.scalar(select(func.count()).select_from(Case)) == 2


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"given_name": ""}, "Write their first name"),
        ({"phone": ""}, "Write one way to reach them"),
        ({"phone": "07700 9002"}, "This number has 9 digits"),
        ({"email": "kofi"}, "has an @ in it"),
        ({"postcode": "home"}, "Check the postcode"),
        ({"second_phone": "07700 900746"}, "Write the second adult’s first name"),
        ({"received_on-day": "20", "received_on-month": "7", "received_on-year": "2026"}, "still to come"),
        ({"said": "x" * 4001}, "4,000 characters or fewer"),
    ],
)
def test_the_log_says_how_to_put_it_right_and_keeps_what_was_typed(client, session, cast, freeze, typed, said):
    freeze(MORNING)
    client.sign_in(cast.recruiter)
    good = {"given_name": "Kofi", "phone": "07700 900745", "safe_note": "ring the side bell"}

    answer = client.submit(client.get("/enquiries/new").page, button="Log this enquiry", **{**good, **typed})

    assert answer.status_code == 422
    assert said in answer.text
    assert "ring the side bell" in answer.text
    assert session.scalar(select(func.count()).select_from(Case)) == 0


# --- Talks ------------------------------------------------------------------------------------------------------------


def test_the_first_talk_stops_the_response_clock_and_leads_to_screening(client, session, cast, reference):
    client.sign_in(cast.recruiter)

    sent = client.submit(
        client.get(f"/cases/{reference}/contact").page, button="Keep this", how="spoke", note="Warm, two teens."
    )

    assert sent.location == f"/cases/{reference}/screening"
    assert stage(session, reference) == "contacted"
    assert set(clocks(session, reference)) == {"initial_visit", "book_visit"}


def test_a_call_written_down_later_counts_from_its_own_day(client, session, cast, reference, freeze):
    freeze("2026-07-20 09:00")
    client.sign_in(cast.recruiter)
    day = {"on-day": "15", "on-month": "7", "on-year": "2026"}
    page = client.get(f"/cases/{reference}/contact").page
    client.submit(page, button="Keep this", how="no_answer", **day)
    page = client.get(f"/cases/{reference}/contact").page

    client.submit(page, button="Keep this", how="spoke", note="Warm, two teens.", **day)

    assert stage(session, reference) == "contacted"
    met = session.scalars(select(Deadline).where(Deadline.rule == "first_contact")).one()
    assert (met.stopped_how, met.stopped_on) == ("met", date(2026, 7, 15))
    assert clocks(session, reference)["book_visit"] == date(2026, 7, 22)
    assert session.scalars(select(ContactAttempt)).one().tried_at == datetime(2026, 7, 15, 11, tzinfo=UTC)
    spoken = session.scalars(select(TimelineEntry).where(TimelineEntry.title.like("Spoke to%"))).one()
    assert spoken.occurred_at == datetime(2026, 7, 15, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "said"),
    [("13", "They got in touch on Tuesday 14 July 2026."), ("15", "That day is still to come.")],
)
def test_no_call_is_before_the_enquiry_or_still_to_come(day, said, client, session, cast, reference):
    client.sign_in(cast.recruiter)
    page = client.get(f"/cases/{reference}/contact").page
    typed = {"how": "spoke", "note": "Warm.", "on-day": day, "on-month": "7", "on-year": "2026"}

    answer = client.submit(page, button="Keep this", **typed)

    assert answer.status_code == 422
    assert said in answer.text
    assert answer.page.form(button="Keep this").filled("Keep this")["note"] == "Warm."
    assert stage(session, reference) == "new"


def test_a_try_without_an_answer_is_kept_and_the_clock_runs_on(client, session, cast, reference):
    client.sign_in(cast.recruiter)

    sent = client.submit(
        client.get(f"/cases/{reference}/contact").page, button="Keep this", how="no_answer", follow=True
    )

    assert "The clock runs on" in sent.text
    assert stage(session, reference) == "new"
    assert session.scalar(select(func.count()).select_from(TimelineEntry).where(TimelineEntry.kind == "contact")) == 1


def test_nobody_who_said_no_voicemail_has_one_left(client, session, cast, freeze):
    from dataclasses import replace

    freeze(MORNING)
    with transaction():
        reference = make_case(cast, people=(replace(PRIYA, no_voicemail=True),)).reference
    client.sign_in(cast.recruiter)

    answer = client.submit(
        client.get(f"/cases/{reference}/contact").page, button="Keep this", how="voicemail", note="Left a message"
    )

    assert answer.status_code == 422
    assert "asked us not to leave a voicemail" in answer.text
    assert "Left a message" in answer.text


def test_two_people_at_once_do_not_both_record_the_first_talk(client, session, cast, reference):
    client.sign_in(cast.recruiter)
    page = client.get(f"/cases/{reference}/contact").page
    other = client.get(f"/cases/{reference}/contact").page
    client.submit(page, button="Keep this", how="no_answer")

    answer = client.submit(other, button="Keep this", how="spoke", note="Spoke")

    assert answer.status_code == 422
    assert "changed while you were looking" in answer.text


# --- Screening --------------------------------------------------------------------------------------------------------


def test_screening_shows_what_is_known_with_its_source_and_asks_the_rest(client, cast, reference):
    client.sign_in(cast.recruiter)

    page = client.get(f"/cases/{reference}/screening")

    assert "“Not yet: son leaving Sept” · Phone call, Tue 14 July 2026" in page.text
    assert "From the postcode, BR1 3KO" in page.text
    filled = page.page.form(button="Keep these answers").filled("Keep these answers")
    assert filled["answer_spare_room"] == "not_yet"
    assert filled["answer_smoking"] == ""


def test_an_answer_that_did_not_change_keeps_its_words_and_source(client, session, cast, reference):
    client.sign_in(cast.recruiter)
    page = client.get(f"/cases/{reference}/screening").page

    client.submit(page, button="Keep these answers", answer_smoking="outside", answer_specified_offence="no")

    session.rollback()
    facts = {fact.key: (fact.value, fact.source) for fact in session.scalars(select(Fact))}
    assert facts["spare_room"] == ("Not yet: son leaving Sept", "Phone call")
    assert facts["smoking"] == ("Only outside", "Screening call")
    sensitivity = session.scalars(select(Fact.sensitivity).where(Fact.key == "specified_offence")).one()
    assert sensitivity == "offence"


def test_nineteen_is_advised_not_now_until_twenty_one_and_a_person_decides(client, session, cast, freeze):
    """S8."""
    freeze("2026-05-06 10:00")
    with transaction():
        reference = make_case(cast).reference
        person_id = session.scalars(select(Person.id).where(Person.given_name == "Priya")).one()
    client.sign_in(cast.recruiter)
    born = {f"born_{person_id}-day": "10", f"born_{person_id}-month": "2", f"born_{person_id}-year": "2007"}
    client.submit(client.get(f"/cases/{reference}/screening").page, button="Keep these answers", **born)

    page = client.get(f"/cases/{reference}/screening")
    assert "Be in touch again on Thursday 10 February 2028" in page.text
    decided = client.submit(page.page, button="Decide", outcome="not_now")

    session.rollback()
    assert decided.location == f"/cases/{reference}/not-now?on=2028-02-10"
    assert session.scalars(select(Case.eligibility_outcome)).one() == "not_now"


def test_deciding_otherwise_needs_a_reason(client, session, cast, reference):
    client.sign_in(cast.recruiter)
    page = client.get(f"/cases/{reference}/screening").page

    refused = client.submit(page, button="Decide", outcome="eligible")
    assert refused.status_code == 422
    assert "Say why you decide otherwise" in refused.text

    client.submit(refused.page, button="Decide", outcome="eligible", reason="The son moved out today")
    session.rollback()
    assert session.scalars(select(Case.eligibility_outcome)).one() == "eligible"
    titles = session.scalars(select(TimelineEntry.title).where(TimelineEntry.kind == "fact")).all()
    assert "Eligibility decided: Eligible; the answers pointed to “Not now”" in titles


def test_deciding_straight_after_the_call_keeps_its_answers_and_goes_by_them(client, session, cast, reference):
    client.sign_in(cast.recruiter)
    page = client.get(f"/cases/{reference}/screening").page
    said = {"answer_smoking": "outside", "answer_specified_offence": "yes", "note": "Two teens at home."}

    decided = client.submit(page, button="Decide", outcome="not_eligible", **said)

    assert decided.location == f"/cases/{reference}/close"
    session.rollback()
    facts = {fact.key: fact.value for fact in session.scalars(select(Fact))}
    assert (facts["smoking"], facts["specified_offence"]) == ("Only outside", "Yes")
    assert session.scalars(select(Case.eligibility_outcome)).one() == "not_eligible"
    assert "Two teens at home." in [entry.detail for entry in session.scalars(select(TimelineEntry))]


def test_a_decision_that_needs_a_reason_loses_no_answer(client, session, cast, reference):
    client.sign_in(cast.recruiter)
    page = client.get(f"/cases/{reference}/screening").page

    refused = client.submit(page, button="Decide", outcome="eligible", answer_smoking="outside", note="Two teens.")

    assert refused.status_code == 422
    assert "Say why you decide otherwise" in refused.text
    filled = refused.page.form(button="Decide").filled("Decide")
    assert (filled["answer_smoking"], filled["note"], filled["outcome"]) == ("outside", "Two teens.", "eligible")
    session.rollback()
    assert session.scalars(select(Fact.key).where(Fact.key == "smoking")).all() == []
    again = client.submit(refused.page, button="Decide", reason="The son has moved out.")
    assert again.status_code == 303
    session.rollback()
    assert session.scalars(select(Fact).where(Fact.key == "smoking")).one().value == "Only outside"


def test_who_answers_for_a_colleague_what_only_the_owner_reads_leaves_the_decision_to_them(
    client, session, cast, freeze
):
    freeze(MORNING)
    with transaction():
        case = make_case(cast, owner=cast.officer)
    client.sign_in(cast.recruiter)
    page = client.get(f"/cases/{case.reference}/screening").page

    sent = client.submit(page, button="Decide", outcome="conversation", answer_specified_offence="no", follow=True)

    assert "The answers are kept." in sent.text
    assert "so its owner decides" in sent.text
    assert "take it yourself" in sent.text
    session.rollback()
    assert session.scalars(select(Fact).where(Fact.key == "specified_offence")).one().value == "No"
    assert session.scalars(select(Case.eligibility_outcome)).one() is None


def test_a_household_that_is_not_screened_yet_leads_back_to_its_screening(client, cast, reference):
    client.sign_in(cast.recruiter)
    talk = {"how": "spoke", "note": "Warm, two teens."}
    client.submit(client.get(f"/cases/{reference}/contact").page, button="Keep this", **talk)

    page = client.get(f"/cases/{reference}").page
    ways = [link.text for link in page.all("a") if link.get("href") == f"/cases/{reference}/screening"]
    assert ways == ["Screen them", "Screening"]

    client.submit(
        client.get(f"/cases/{reference}/screening").page, button="Decide", outcome="eligible", reason="All is well"
    )
    page = client.get(f"/cases/{reference}").page
    ways = [link.text for link in page.all("a") if link.get("href") == f"/cases/{reference}/screening"]
    assert ways == ["Screening"]


def test_nobody_decides_on_what_they_are_not_shown(client, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        case = make_case(cast, owner=cast.officer, facts={"specified_offence": "Yes"})
    client.sign_in(cast.recruiter)
    page = client.get(f"/cases/{case.reference}/screening")

    assert "Shown only to those who have the case" in page.text
    assert "law doesn&#39;t let us" not in page.text
    token = page.page.form(button="Keep these answers").filled("Keep these answers")["csrf_token"]
    answer = client.post(
        f"/cases/{case.reference}/screening",
        data={"csrf_token": token, "do": "decide", "outcome": "eligible", "reason": "Because"},
    )

    assert answer.status_code == 422
    session.rollback()
    assert session.scalars(select(Case.eligibility_outcome)).one() is None


# --- Resting, closing, opening again ----------------------------------------------------------------------------------


def test_not_now_rests_until_its_day_and_tells_them_why(client, session, cast, reference):
    client.sign_in(cast.recruiter)

    sent = client.submit(
        client.get(f"/cases/{reference}/not-now").page,
        button="Let them rest until then",
        reason="no_room",
        **{"back_on-day": "1", "back_on-month": "10", "back_on-year": "2026"},
        words="Your son’s room is free in September.",
        follow=True,
    )

    assert "rests until Thursday 1 October" in sent.text
    assert stage(session, reference) == "not_now"
    assert clocks(session, reference) == {"recontact": date(2026, 10, 1)}
    change = session.scalars(select(StageChange).where(StageChange.move == "set_not_now")).one()
    assert change.reason_code == "no_room"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"reason": ""}, "Choose why it is not now"),
        ({"back_on-day": "1", "back_on-month": "7", "back_on-year": "2026"}, "must be after today"),
        ({"back_on-day": "", "back_on-month": "", "back_on-year": ""}, "Give the day to get in touch again"),
        ({"words": ""}, "Write what the letter says"),
    ],
)
def test_not_now_says_how_to_put_it_right(client, session, cast, reference, typed, said):
    client.sign_in(cast.recruiter)
    good = {
        "reason": "no_room",
        "back_on-day": "1",
        "back_on-month": "10",
        "back_on-year": "2026",
        "words": "The room.",
    }

    answer = client.submit(
        client.get(f"/cases/{reference}/not-now").page, button="Let them rest until then", **{**good, **typed}
    )

    assert said in answer.text
    assert stage(session, reference) == "new"


def test_closing_keeps_a_reason_that_can_be_counted_and_opening_again_starts_a_clock(client, session, cast, reference):
    client.sign_in(cast.recruiter)
    closed = client.submit(
        client.get(f"/cases/{reference}/close").page,
        button="Close this enquiry",
        reason="out_of_area",
        words="Too far.",
    )
    assert closed.status_code == 303
    assert (stage(session, reference), clocks(session, reference)) == ("closed", {})
    assert session.scalars(select(Case.closed_reason)).one() == "out_of_area"

    client.submit(client.get(f"/cases/{reference}/reopen").page, button="Open it again", note="They moved to Bromley.")

    assert stage(session, reference) == "contacted"
    assert "book_visit" in clocks(session, reference)


def test_an_officer_may_not_close(client, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        reference = make_case(cast, owner=cast.officer).reference
    client.sign_in(cast.officer)

    assert client.get(f"/cases/{reference}/close").status_code == 403
