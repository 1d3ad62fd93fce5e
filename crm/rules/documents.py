"""Which documents a service asks a household for, as data: of whom, for which check, and whether they run out.

Nothing here is a certificate of the Disclosure and Barring Service: it is looked at and given back, and no copy of it
is kept (the DBS's code of practice; number, dates, level and who saw it are written down with the check). None of these
is named in the regulations: they are what services ask for, so that the particulars of Schedule 3 can be verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from crm.rules.permissions import Sensitivity


class OfWhom(StrEnum):
    """Of whom a document is asked without anybody saying so."""

    EACH = "each"
    HOUSEHOLD = "household"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """One kind of document.

    ``hint`` is said to whoever hands it in. ``items`` are the Stage 1 checks that it helps to verify. ``runs_out``:
    whether it has a last day, which is written down as it is accepted. ``by_applicants``: whether they hand it in.
    """

    name: str
    title: str
    hint: str
    of_whom: OfWhom = OfWhom.NOBODY
    is_shared: bool = False
    sensitivity: Sensitivity = Sensitivity.PERSONAL
    items: tuple[str, ...] = ()
    runs_out: bool = False
    by_applicants: bool = True


KINDS: tuple[DocumentKind, ...] = (
    DocumentKind(
        "identity",
        "Passport or driving licence",
        "The page with your photo, or both sides of the card. All four corners, nothing shining.",
        OfWhom.EACH,
        items=("identity",),
        runs_out=True,
    ),
    DocumentKind(
        "address",
        "A letter that shows your address",
        "From the council, a bank, or for gas, water or electricity, not older than three months.",
        OfWhom.EACH,
        items=("identity", "accommodation"),
    ),
    DocumentKind(
        "right_to_live",
        "Right to live and work here",
        "Only if you have no British or Irish passport: a share code letter, a visa or a permit.",
        items=("identity",),
        runs_out=True,
    ),
    DocumentKind(
        "names",
        "Marriage, divorce or change of name",
        "A certificate or a deed, if you have had another name or were married before.",
        items=("identity", "relationships"),
    ),
    DocumentKind(
        "driving",
        "Driving licence and car insurance",
        "If you would drive a child. Both sides of the licence, and the page that shows who is insured.",
        runs_out=True,
    ),
    DocumentKind(
        "home",
        "Mortgage statement or tenancy agreement",
        "The page with your names, the address and the date.",
        OfWhom.HOUSEHOLD,
        is_shared=True,
        items=("accommodation", "landlord_consent"),
    ),
    DocumentKind(
        "home_insurance",
        "Home insurance",
        "The page that shows what is insured, and until when.",
        is_shared=True,
        items=("accommodation",),
        runs_out=True,
    ),
    DocumentKind(
        "pets",
        "Your pet’s papers",
        "Vaccinations, insurance, or a letter from the vet.",
        is_shared=True,
        items=("pets",),
    ),
    DocumentKind(
        "medical",
        "Medical report",
        "From the surgery or our medical adviser, as it came.",
        sensitivity=Sensitivity.HEALTH,
        items=("health_report", "medical_advice"),
        by_applicants=False,
    ),
    DocumentKind(
        "overseas",
        "Certificate of good character from abroad",
        "From the police of a country you have lived in. All its pages, and a translation if there is one.",
        sensitivity=Sensitivity.OFFENCE,
        items=("overseas_police",),
    ),
    DocumentKind(
        "other",
        "Something else",
        "Anything that has no place of its own on this list.",
    ),
)

KINDS_BY_NAME: Mapping[str, DocumentKind] = MappingProxyType({kind.name: kind for kind in KINDS})

LOOKED_AHEAD = 42
"""Days before its last day at which a document is to be asked for anew (service policy: a renewal takes weeks)."""


class Standing(StrEnum):
    """How one document stands."""

    WANTED = "wanted"
    HELD = "held"
    """Handed in, and not yet found free of viruses: nobody can open it."""
    WITH_US = "with_us"
    SENT_BACK = "sent_back"
    ACCEPTED = "accepted"
    RUNS_OUT = "runs_out"
    RAN_OUT = "ran_out"
    NOT_NEEDED = "not_needed"


STANDING_WORDS: Mapping[Standing, tuple[str, str]] = MappingProxyType(
    {
        Standing.WANTED: ("none", "Not in"),
        Standing.HELD: ("waiting", "Held for scanning"),
        Standing.WITH_US: ("due", "To look at"),
        Standing.SENT_BACK: ("waiting", "Sent back"),
        Standing.ACCEPTED: ("ok", "Accepted"),
        Standing.RUNS_OUT: ("due", "Runs out soon"),
        Standing.RAN_OUT: ("over", "Has run out"),
        Standing.NOT_NEEDED: ("none", "Not needed"),
    }
)
"""How staff read each standing: the look of it, and the words."""

TO_DO: frozenset[Standing] = frozenset({Standing.WANTED, Standing.SENT_BACK, Standing.RUNS_OUT, Standing.RAN_OUT})
"""In these it is for the household to hand in (again)."""


def standing_when_accepted(ends_on: date | None, *, today: date) -> Standing:
    """How an accepted document stands on a day, by its last day. On its last day it still holds."""
    if ends_on is None:
        return Standing.ACCEPTED
    left = (ends_on - today).days
    return Standing.RAN_OUT if left < 0 else Standing.RUNS_OUT if left <= LOOKED_AHEAD else Standing.ACCEPTED
