"""Why a journey ended or paused: codes that can be counted, with words for screen.

Withdrawals carry Ofsted's codes (annual fostering data collection, from 2023 to 2024).
"""

from __future__ import annotations

from collections.abc import Mapping
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

CLOSED_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "information_only": "Wanted information only",
        "counselled_out": "Advised by the service not to go on",
        "withdrew": "Decided against it",
        "no_response": "No answer after several tries",
        "no_access": "Nobody in at two visits",
        "out_of_area": "Lives too far away",
        "signposted": "Sent on to another service or another way to help",
        "not_eligible": "Not eligible",
        "declined_after_visit": "Declined after the visit",
        "duplicate": "Logged twice",
        "spam": "Not a real enquiry",
    }
)

NOT_NOW_REASONS: Mapping[str, str] = MappingProxyType(
    {
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
