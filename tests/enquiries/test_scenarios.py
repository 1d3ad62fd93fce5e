"""The scenarios of domain.md 10 that end or pause an enquiry, through the operations that people use."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa

from crm import policy
from crm.cases.add_touch import add_touch
from crm.cases.clocks import running_clocks
from crm.cases.models import Case, Channel, Enquiry, StageChange
from crm.cases.open_case import NewTouch
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.enquiries import screening, triage
from crm.policy import changing
from crm.rules.eligibility import Outcome
from crm.rules.stages import TrackName
from tests.case_factory import PRIYA, make_case


def given(member):
    today = today_in_london()
    return {"actor": member.actor, "now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today)}


def clocks(case):
    return {clock.rule: clock.due_on for clock in running_clocks(case)}


def test_s6_after_two_visits_with_nobody_in_it_is_closed_with_a_letter_and_reopens_as_the_same_record(
    app, session, cast, freeze
):
    freeze("2026-04-08 10:00")
    with transaction():
        case = make_case(cast)
        policy.ensure_defaults(now=now_utc())
    freeze("2026-04-28 10:00")
    with transaction():
        triage.close_enquiry(case, reason_code="no_access", words="", write_to_them=True, **given(cast.manager))
    letter = session.scalars(sa.select(OutboundMessage).where(OutboundMessage.kind == "enquiry_closed")).one()
    assert "came to see you twice" in letter.payload.decode()

    freeze("2026-06-08 10:00")
    with transaction():
        touch = NewTouch(channel=Channel.PHONE, received_at=now_utc(), source="Phone call")
        joined = add_touch(db.session.get(Case, case.id), touch=touch, people=[PRIYA], **given(cast.recruiter))

    assert joined.reopened
    assert session.scalar(sa.select(sa.func.count()).select_from(Case)) == 1
    assert session.scalar(sa.select(sa.func.count()).select_from(Enquiry)) == 2
    again = db.session.get(Case, case.id)
    assert again.stages[TrackName.ENQUIRY] == "contacted"
    assert (again.opened_at, clocks(again)) == (case.opened_at, {"book_visit": date(2026, 6, 15)})


def screened(case, cast, born):
    """The screening of a case whose applicant was born on a day."""

    def shown():
        case_now = db.session.get(Case, case.id)
        rulebook = policy.rulebook_on(today_in_london())
        return screening.screening_of(case_now, cast.recruiter.actor, on_case=True, rulebook=rulebook)

    with transaction():
        born_on = {person.id: born for person in shown().applicants}
        screening.keep_answers(
            db.session.get(Case, case.id), answers={}, born_on=born_on, note=None, **given(cast.recruiter)
        )
    return shown()


@pytest.mark.parametrize(
    ("born", "minimum", "outcome", "back_on"),
    [
        (date(2007, 2, 10), 21, Outcome.NOT_NOW, date(2028, 2, 10)),
        (date(2009, 2, 10), 21, Outcome.NOT_ELIGIBLE, date(2030, 2, 10)),
        (date(2007, 2, 10), 18, Outcome.ELIGIBLE, None),
        (date(2009, 2, 10), 18, Outcome.NOT_ELIGIBLE, date(2027, 2, 10)),
    ],
)
def test_s8_under_21_by_the_services_own_rule_and_under_18_by_law(
    app, session, cast, freeze, born, minimum, outcome, back_on
):
    freeze("2026-05-06 10:00")
    with transaction():
        policy.ensure_defaults(now=now_utc())
        case = make_case(cast, people=[replace(PRIYA, born_on=None)])
        if minimum != 21:
            changing.change_criterion(
                name="age", changes={"usual_minimum_age": minimum}, in_force_from=today_in_london(),
                actor=cast.administrator.actor, now=now_utc(), today=today_in_london(),
            )  # fmt: skip

    shown = screened(case, cast, born)

    finding = next(one for one in shown.advice.findings if one.criterion == "age")
    assert finding.outcome is outcome
    assert shown.advice.come_back_on == back_on


def test_s8_not_now_until_the_21st_birthday_is_diarised_on_it(app, session, cast, freeze):
    freeze("2026-05-06 10:00")
    with transaction():
        case = make_case(cast)
        triage.rest_until(
            case, back_on=date(2028, 2, 10), reason_code="under_age", words="We ask for 21.", write_to_them=True,
            **given(cast.recruiter),
        )  # fmt: skip

    assert clocks(case) == {"recontact": date(2028, 2, 10)}
    assert (case.next_action_due_on, case.is_open) == (date(2028, 2, 10), True)


@pytest.mark.parametrize("reason", ["out_of_area", "other_council"])
def test_s9_somebody_90_miles_away_is_sent_on_with_a_letter_and_stays_on_record(app, session, cast, freeze, reason):
    freeze("2026-08-24 10:00")
    with transaction():
        case = make_case(cast, postcode="EX1 1AO")
        triage.close_enquiry(case, reason_code=reason, words="", write_to_them=True, **given(cast.recruiter))

    assert (case.closed_reason, case.is_open, clocks(case)) == (reason, False, {})
    letter = session.scalars(sa.select(OutboundMessage).where(OutboundMessage.kind == "enquiry_closed")).one()
    assert "service" in letter.payload.decode()
    change = session.scalars(sa.select(StageChange).where(StageChange.move == "close_enquiry")).one()
    assert change.reason_code == reason
