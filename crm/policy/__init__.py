"""The dated rows behind the rules, and what they amount to on a day.

``rulebook_on(day)`` is handed on like ``today``; ``service()`` is how the service speaks of itself.
"""

from crm.policy.changing import ensure_defaults
from crm.policy.models import OneOffHoliday, PolicyKind, PolicyRow, PolicyVersion
from crm.policy.profile import Area, ServiceProfile, district_of
from crm.policy.reading import (
    Wording,
    editions_of,
    keep_stamp,
    policy_version,
    rulebook_on,
    service,
    stamp_columns,
    wording,
    wording_of_version,
)

__all__ = [
    "Area",
    "OneOffHoliday",
    "PolicyKind",
    "PolicyRow",
    "PolicyVersion",
    "ServiceProfile",
    "Wording",
    "district_of",
    "editions_of",
    "ensure_defaults",
    "keep_stamp",
    "policy_version",
    "rulebook_on",
    "service",
    "stamp_columns",
    "wording",
    "wording_of_version",
]
