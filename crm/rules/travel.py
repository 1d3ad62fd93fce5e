"""How long it takes to get from one place to another, worked out from the centres of postcode districts alone.

Door to door: the straight line between two centres, made longer for the bends of the road, at an assumed speed, with a
fixed part for finding the car, a place to park and the door. What somebody said it really took counts before all that,
and where a district is not known an assumption does, which is shown as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import asin, ceil, cos, radians, sin, sqrt

EARTH_KM = 6371.0
KM_A_MILE = 1.609344
NEAR_KM = 10.0
"""So far a journey goes at the slow speed of streets; what is beyond it at the speed of larger roads."""
LEAST_KM = 1.5
"""Between two homes of one district, of which the centres say nothing."""
ROUNDED_MINUTES = 5


class TravelBy(StrEnum):
    """How an officer gets about."""

    CAR = "car"
    PUBLIC_TRANSPORT = "transit"


TRAVEL_BY_WORDS = {TravelBy.CAR: "By car", TravelBy.PUBLIC_TRANSPORT: "By public transport"}


class Basis(StrEnum):
    """What an estimate rests on."""

    NO_TRAVEL = "no_travel"
    SAID = "said"
    WORKED_OUT = "worked_out"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Centre:
    """The middle of a postcode district, in degrees (WGS 84)."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Where an officer has to be, as far as travel needs to know: the district, and whether it is their own desk."""

    district: str | None = None
    is_desk: bool = False


@dataclass(frozen=True, slots=True)
class Speeds:
    """Assumed speeds from door to door, in km an hour along the road, and the fixed part in minutes."""

    near_kmh: int
    far_kmh: int
    fixed_minutes: int


@dataclass(frozen=True, slots=True)
class TravelPolicy:
    """What a service assumes of travel."""

    winding_percent: int
    """How long the road is for each 100 of the straight line."""
    speeds: Mapping[TravelBy, Speeds]
    unknown_minutes: int
    """Assumed where a district is not known."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a journey takes, how far it is by road (None where that is not known), and why we think so."""

    minutes: int
    basis: Basis
    km: float | None = None

    @property
    def miles(self) -> float | None:
        return None if self.km is None else self.km / KM_A_MILE


def straight_km(one: Centre, other: Centre) -> float:
    """The great circle between two centres."""
    lat_1, lat_2 = radians(one.latitude), radians(other.latitude)
    across = sin((lat_2 - lat_1) / 2) ** 2
    along = cos(lat_1) * cos(lat_2) * sin(radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(across + along)))


def road_km(one: Centre, other: Centre, policy: TravelPolicy) -> float:
    """How far it is by road between two addresses of these districts."""
    return max(LEAST_KM, straight_km(one, other)) * policy.winding_percent / 100


def door_to_door_minutes(km: float, speeds: Speeds) -> int:
    """How long so many km of road take, rounded up to five minutes."""
    near = min(km, NEAR_KM)
    minutes = 60 * (near / speeds.near_kmh + (km - near) / speeds.far_kmh) + speeds.fixed_minutes
    return ROUNDED_MINUTES * ceil(round(minutes / ROUNDED_MINUTES, 6))


def pair_of(one: str, other: str) -> tuple[str, str]:
    """Two districts in the order in which a correction is kept: there and back count the same."""
    return (one, other) if one <= other else (other, one)


class Roads:
    """Journeys between the districts that somebody asked about."""

    def __init__(
        self,
        policy: TravelPolicy,
        centres: Mapping[str, Centre],
        said: Mapping[tuple[str, str, str], int],
    ) -> None:
        self.policy, self.centres, self.said = policy, centres, said
        self._found: dict[tuple[Stop, Stop, str], Estimate] = {}

    def between(self, one: Stop, other: Stop, by: TravelBy) -> Estimate:
        """The journey from one stop to another, or back."""
        key = (one, other, by)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._work_out(one, other, by)
        return found

    def _work_out(self, one: Stop, other: Stop, by: TravelBy) -> Estimate:
        if one.is_desk and other.is_desk:
            return Estimate(0, Basis.NO_TRAVEL, 0.0)
        km = None
        if one.district and other.district:
            first, second = self.centres.get(one.district), self.centres.get(other.district)
            if first is not None and second is not None:
                km = road_km(first, second, self.policy)
            said = self.said.get((*pair_of(one.district, other.district), by))
            if said is not None:
                return Estimate(said, Basis.SAID, km)
        if km is None:
            return Estimate(self.policy.unknown_minutes, Basis.ASSUMED)
        return Estimate(door_to_door_minutes(km, self.policy.speeds[by]), Basis.WORKED_OUT, km)
