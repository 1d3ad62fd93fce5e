"""The service as it presents itself: what its settings amount to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the service's patch: its name, its postcode districts (BR1), and who take its enquiries in turn."""

    name: str
    districts: tuple[str, ...]
    owner_ids: tuple[int, ...] = ()


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
    travel_minutes: int
    visits_per_day: int
    working_from_minutes: int
    working_until_minutes: int
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
    return ServiceProfile(**{**settings, "areas": areas})


def owners_of(area: dict[str, Any]) -> tuple[int, ...]:
    """Who take an area's enquiries. What was set when an area had one owner holds that one."""
    if "owner_ids" in area:
        return tuple(area["owner_ids"])
    return (area["owner_id"],) if area.get("owner_id") is not None else ()
