"""The service as it presents itself: what its settings amount to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from crm.rules.travel import Speeds, TravelBy, TravelPolicy

_POSTCODE_IN_ADDRESS = re.compile(r"\b([A-Z]{1,2}[0-9][A-Z0-9]?) *[0-9][A-Z]{2}\b")


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the service's patch: its name, its postcode districts (BR1), and who take its enquiries in turn."""

    name: str
    districts: tuple[str, ...]
    owner_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class VisitType:
    """A kind of visit that the service makes, as a person books it: all of it may be changed for one visit."""

    name: str
    purpose: str
    minutes: int
    officers: int
    place: str  # home, video or office


@dataclass(frozen=True, slots=True)
class ServiceProfile:
    """One fostering service. Words are for screen and letters; times are minutes past midnight, London."""

    name: str
    short_name: str
    mark: str  # one or two letters beside the name, where there is no room for it
    kind: str  # ifa or local_authority
    reference_prefix: str
    phone: str
    email: str
    website: str
    address: str  # lines separated by newlines
    hours: str
    area: str
    areas: tuple[Area, ...]
    brand_colour: str
    link_colour: str
    accent_colour: str
    fallback_owner_id: int | None
    safe_from_minutes: int
    safe_until_minutes: int
    visit_minutes: int
    travel_minutes: int  # assumed where it can't be worked out
    winding_percent: int
    car_near_kmh: int
    car_far_kmh: int
    car_fixed_minutes: int
    transit_near_kmh: int
    transit_far_kmh: int
    transit_fixed_minutes: int
    mileage_pence: int
    notice_hours: int
    hold_hours: int
    link_days: int  # how long a household can choose a time by its link
    chase_days: int  # working days after which the owner is told that nothing was chosen
    change_hours: int  # how long before a visit its household can still change it
    visit_types: tuple[VisitType, ...]
    visits_per_day: int
    late_in_minutes: int  # after a visit was to begin: its officers are asked to check in
    buddy_after_minutes: int  # after they were to be out: the buddy is told
    manager_after_minutes: int  # likewise, the managers
    working_from_minutes: int
    working_until_minutes: int
    asks_midway: str  # before a full report is countersigned: no, warn (where there is none) or needed
    asks_second_opinion: str  # likewise
    complaints: str

    @property
    def is_local_authority(self) -> bool:
        """Whether the service is a council's: then it need not consult itself (reg 26(1A)(d))."""
        return self.kind == "local_authority"

    @property
    def districts(self) -> frozenset[str]:
        """All postcode districts of all areas."""
        return frozenset(district for area in self.areas for district in area.districts)

    @property
    def address_lines(self) -> tuple[str, ...]:
        """The address line by line."""
        return tuple(line for line in self.address.splitlines() if line.strip())

    @property
    def office_district(self) -> str | None:
        """The postcode district that the service's own address ends in."""
        found = _POSTCODE_IN_ADDRESS.findall(self.address.upper())
        return found[-1] if found else None

    @property
    def travel(self) -> TravelPolicy:
        """What is assumed of travel."""
        return TravelPolicy(
            winding_percent=self.winding_percent,
            speeds={
                TravelBy.CAR: Speeds(self.car_near_kmh, self.car_far_kmh, self.car_fixed_minutes),
                TravelBy.PUBLIC_TRANSPORT: Speeds(
                    self.transit_near_kmh, self.transit_far_kmh, self.transit_fixed_minutes
                ),
            },
            unknown_minutes=self.travel_minutes,
        )

    def area_of(self, postcode: str) -> Area | None:
        """The area a postcode lies in; None outside all of them, or when it isn't a postcode."""
        district = district_of(postcode)
        return next((area for area in self.areas if district in area.districts), None) if district else None


def district_of(postcode: str) -> str | None:
    """The district of a full or outward postcode: "BR1" of "br1 3ko" and of "BR1". None when there can't be one."""
    letters = "".join(letter for letter in postcode.upper() if letter.isalnum())
    if not 2 <= len(letters) <= 7 or not letters[0].isalpha():
        return None
    if len(letters) >= 5:
        letters = letters[:-3]
    return letters if any(letter.isdigit() for letter in letters) and len(letters) <= 4 else None


def profile_from(settings: dict[str, Any]) -> ServiceProfile:
    """The profile that a whole set of settings makes."""
    areas = tuple(Area(one["name"], tuple(one["districts"]), owners_of(one)) for one in settings["areas"])
    types = tuple(VisitType(**one) for one in settings["visit_types"])
    return ServiceProfile(**{**settings, "areas": areas, "visit_types": types})


def owners_of(area: dict[str, Any]) -> tuple[int, ...]:
    """Who take an area's enquiries. What was set when an area had one owner holds that one."""
    if "owner_ids" in area:
        return tuple(area["owner_ids"])
    return (area["owner_id"],) if area.get("owner_id") is not None else ()
