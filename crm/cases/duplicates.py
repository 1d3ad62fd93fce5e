"""Households that may be the same one: found by phone, email, or name with postcode. A person always decides."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, select

from crm.cases import keys
from crm.cases.models import Case, Household, Person
from crm.db import db


@dataclass(frozen=True)
class LookAlike:
    """A household already known, and the plain reasons for thinking it is the same."""

    case_id: int
    reference: str
    household: str
    is_open: bool
    reasons: tuple[str, ...]

    @property
    def is_strong(self) -> bool:
        """Two signs together, or the same phone or email: worth asking about before storing."""
        return len(self.reasons) > 1 or self.reasons[0] in ("same phone", "same email")


def look_alikes(
    *,
    email: str | None = None,
    phone: str | None = None,
    given_name: str | None = None,
    family_name: str | None = None,
    postcode: str | None = None,
    limit: int = 5,
) -> list[LookAlike]:
    """Known households that share a phone, an email, or a name and postcode with what was typed; likeliest first."""
    base = (
        select(Case.id, Case.reference, Household.name, Case.is_open)
        .select_from(Person)
        .join(Household, Household.id == Person.household_id)
        .join(Case, Case.household_id == Household.id)
        .limit(limit * 2)
    )
    signs = []
    if phone and (key := keys.phone_key(phone)):
        signs.append(("same phone", Person.phone_key == key))
    if email and (key := keys.email_key(email)):
        signs.append(("same email", Person.email_key == key))
    code, family = keys.postcode_key(postcode), keys.name_key(family_name)
    if code and family and postcode and keys.is_whole_postcode(postcode):
        signs.append(
            ("same surname at the same postcode", and_(Household.postcode_key == code, Person.family_key == family))
        )
    given = keys.name_key(given_name)
    if given and family:
        signs.append(("same name", and_(Person.family_key == family, Person.given_key == given)))
    found: dict[int, tuple[str, str, bool, list[str]]] = {}
    for reason, condition in signs:
        for row in db.session.execute(base.where(condition)):
            reasons = found.setdefault(row.id, (row.reference, row.name, row.is_open, []))[3]
            if reason not in reasons:
                reasons.append(reason)
    alike = [LookAlike(case_id, ref, name, is_open, tuple(why)) for case_id, (ref, name, is_open, why) in found.items()]
    return sorted(alike, key=lambda a: (-len(a.reasons), not a.is_open, -a.case_id))[:limit]
