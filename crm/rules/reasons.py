"""Why a journey ended or paused: codes that can be counted, with words for screen and for the household.

Withdrawals carry Ofsted's codes (annual fostering data collection, from 2023 to 2024). An enquiry has a wider list of
its own; where one of its reasons is what Ofsted would call a withdrawal, it names that code, so that a report may count
both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

WITHDRAWAL_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "AW1": "Fostering is not what the applicant expected",
        "AW2": "The assessment process is not what the applicant expected",
        "AW3": "The household's circumstances changed (not financial)",
        "AW4": "Could not go on for financial reasons",
        "AW5": "Worried about the risk of allegations",
        "AW0": "Another reason, or not known",
        "SERVICE": "Withdrawn by the service",
    }
)


class WhoEnded(StrEnum):
    """Whose choice an ending was: what a report divides endings by."""

    HOUSEHOLD = "household"
    SERVICE = "service"
    NOBODY = "nobody"  # nothing was decided: nobody answered, or there was no enquiry


@dataclass(frozen=True, slots=True)
class ClosingReason:
    """One way for an enquiry to end (domain.md 4.4).

    `words`: what the household is told where nobody writes anything else; empty where somebody has to, because it
    depends on them. `is_written`: whether a letter goes at all; of what was logged by mistake nobody is told.
    `withdrawal`: Ofsted's code, where it is a withdrawal in their sense.
    """

    code: str
    label: str
    ended_by: WhoEnded
    words: str = ""
    is_written: bool = True
    withdrawal: str | None = None


_H, _S, _N = WhoEnded.HOUSEHOLD, WhoEnded.SERVICE, WhoEnded.NOBODY
_DOOR = "The door stays open: get in touch whenever it suits you."

CLOSING_REASONS: Mapping[str, ClosingReason] = MappingProxyType(
    {
        one.code: one
        for one in (
            ClosingReason(
                "information_only",
                "Wanted information only",
                _H,
                f"You asked us for information, and we hope it helped. {_DOOR}",
            ),
            ClosingReason("counselled_out", "Advised by the service not to go on", _S),
            ClosingReason(
                "withdrew",
                "Decided against it",
                _H,
                f"You told us that you have decided not to go on. Thank you for thinking about fostering. {_DOOR}",
                withdrawal="AW0",
            ),
            ClosingReason(
                "not_as_expected",
                "Fostering is not what they expected",
                _H,
                f"You told us that fostering is not what you expected. Thank you for finding out. {_DOOR}",
                withdrawal="AW1",
            ),
            ClosingReason(
                "process_not_as_expected",
                "The assessment is not what they expected",
                _H,
                f"You told us that the assessment is not what you expected. Thank you for finding out. {_DOOR}",
                withdrawal="AW2",
            ),
            ClosingReason(
                "circumstances",
                "Their circumstances changed",
                _H,
                f"You told us that things have changed for you, and that you are not going on. {_DOOR}",
                withdrawal="AW3",
            ),
            ClosingReason(
                "money",
                "Could not afford to",
                _H,
                f"You told us that you can’t go on for reasons of money. {_DOOR}",
                withdrawal="AW4",
            ),
            ClosingReason(
                "worried_about_allegations",
                "Worried about allegations",
                _H,
                f"You told us what worries you, and that you are not going on. {_DOOR}",
                withdrawal="AW5",
            ),
            ClosingReason(
                "no_response",
                "No answer after several tries",
                _N,
                f"We tried to reach you a few times and did not catch you, so we have closed your enquiry. {_DOOR}",
            ),
            ClosingReason(
                "no_access",
                "Nobody in at two visits",
                _N,
                f"We came to see you twice and did not find you in, so we have closed your enquiry. {_DOOR}",
            ),
            ClosingReason(
                "out_of_area",
                "Lives too far away",
                _S,
                "You live further away than we can support a foster family well. The council where you live, or a "
                "fostering service near you, can. GOV.UK lists them: gov.uk/becoming-foster-parent.",
            ),
            ClosingReason(
                "other_council",
                "Sent on to another council or fostering service",
                _S,
                "As we agreed, another fostering service is the better one for you. We wish you well with them.",
            ),
            ClosingReason(
                "adoption",
                "Sent on to adoption",
                _S,
                "As we agreed, adoption is closer to what you hope for. "
                "An adoption agency will be glad to hear from you.",
            ),
            ClosingReason(
                "short_breaks",
                "Sent on to short breaks",
                _S,
                "As we agreed, short breaks may suit you better: a weekend now and then for a child and a rest for the "
                "family. The council where you live can tell you more.",
            ),
            ClosingReason(
                "volunteering",
                "Sent on to volunteering or mentoring",
                _S,
                "As we agreed, there are other ways to help children near you, such as mentoring or being an "
                "independent visitor. The council where you live can tell you more.",
            ),
            ClosingReason("signposted", "Sent on to somebody else", _S),
            ClosingReason("not_eligible", "Not eligible", _S),
            ClosingReason("declined_after_visit", "Declined after the visit", _S),
            ClosingReason("duplicate", "Logged twice", _N, is_written=False),
            ClosingReason("spam", "Not a real enquiry", _N, is_written=False),
        )
    }
)
"""Every way for an enquiry to end, by its code."""

CLOSED_REASONS: Mapping[str, str] = MappingProxyType({code: one.label for code, one in CLOSING_REASONS.items()})
"""What each is called on screen."""

NOT_NOW_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "call_back": "Asked to be rung on a day",
        "under_age": "Under the service's minimum age",
        "no_room": "No spare bedroom yet",
        "new_baby": "Expecting, or a new baby",
        "bereavement": "Recent bereavement",
        "separation": "Recent separation or a new relationship",
        "illness": "Serious illness",
        "moving": "Moving house or building work",
        "work": "Work or study",
        "right_to_stay": "Waiting for the right to live and work in the UK",
        "thinking": "Wants time to think",
        "other": "Another reason",
    }
)


def code_of(reason: str) -> str:
    """The code at the start of a reason such as "AW3" or "AW3: moved for work"."""
    return reason.split(":", 1)[0].strip().upper()
