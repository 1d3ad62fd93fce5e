"""The centres of postcode districts, loaded from an open directory that the service downloads for itself.

The product comes with none: those of the demonstration are its own. Read are the ONS Postcode Directory and the
National Statistics Postcode Lookup (``pcds``, ``lat``, ``long``, ``doterm``), Code-Point Open (postcode, eastings,
northings, with or without a heading), and lists of districts (``outcode``, ``latitude``, ``longitude``). No address is
looked up anywhere else than in this table.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, degrees, radians, sin, sqrt, tan
from pathlib import Path

from sqlalchemy import delete, func, insert, select

from crm.cases import keys
from crm.db import db
from crm.rules.refusal import Refusal
from crm.rules.travel import Centre
from crm.visits.models import PostcodeDistrict

POSTCODES = ("pcds", "pcd", "pcd2", "pcd7", "pcd8", "postcode")
DISTRICTS = ("outcode", "outward_code", "outward code", "postcode_district", "district")
LATITUDES, LONGITUDES = ("latitude", "lat"), ("longitude", "long", "lon", "lng")
EASTINGS, NORTHINGS = ("oseast1m", "eastings", "easting", "east1m"), ("osnrth1m", "northings", "northing", "north1m")
ENDED = ("doterm", "dointr_end", "terminated")
CODE_POINT = ("postcode", "quality", "eastings", "northings")
AT_ONCE = 500


class DirectoryNotReadable(Refusal):
    """A file is no directory of postcodes that can be read here."""

    default_status = 422


@dataclass
class _Middle:
    latitudes: float = 0.0
    longitudes: float = 0.0
    postcodes: int = 0


@dataclass(frozen=True)
class Loaded:
    """What came of reading directories."""

    districts: int
    lines: int
    passed_over: int
    """Lines with no position, a position outside the United Kingdom, or a postcode that is no longer in use."""


def load_directories(files: Iterable[Path]) -> Loaded:
    """Read directories and keep the middle of each district they have, in place of what was kept of it before.

    Raises DirectoryNotReadable, saying which file and what it lacks; nothing is kept then.
    """
    middles: dict[str, _Middle] = {}
    lines = passed_over = 0
    for file in files:
        for district, centre in _read(file):
            lines += 1
            if district is None or centre is None:
                passed_over += 1
                continue
            middle = middles.setdefault(district, _Middle())
            middle.latitudes += centre.latitude
            middle.longitudes += centre.longitude
            middle.postcodes += 1
    if not middles:
        raise DirectoryNotReadable("No line of that has a postcode and a position in the United Kingdom.")
    keep_centres(
        {name: Centre(one.latitudes / one.postcodes, one.longitudes / one.postcodes) for name, one in middles.items()},
        postcodes={name: one.postcodes for name, one in middles.items()},
    )
    return Loaded(len(middles), lines, passed_over)


def keep_centres(centres: Mapping[str, Centre], *, postcodes: Mapping[str, int] | None = None) -> None:
    """Keep these centres; the others stay as they are."""
    rows = [
        {
            "district": name,
            "latitude": round(centre.latitude, 5),
            "longitude": round(centre.longitude, 5),
            "postcodes": (postcodes or {}).get(name, 1),
        }
        for name, centre in sorted(centres.items())
    ]
    for begin in range(0, len(rows), AT_ONCE):
        some = rows[begin : begin + AT_ONCE]
        db.session.execute(
            delete(PostcodeDistrict).where(PostcodeDistrict.district.in_([row["district"] for row in some]))
        )
        db.session.execute(insert(PostcodeDistrict), some)


def centres_of(districts: Iterable[str | None]) -> dict[str, Centre]:
    """The centres of these districts, as far as they are known."""
    wanted = sorted({district for district in districts if district})
    if not wanted:
        return {}
    rows = db.session.execute(
        select(PostcodeDistrict.district, PostcodeDistrict.latitude, PostcodeDistrict.longitude).where(
            PostcodeDistrict.district.in_(wanted)
        )
    )
    return {row.district: Centre(row.latitude, row.longitude) for row in rows}


def known_districts() -> int:
    """How many districts have a centre."""
    return db.session.scalar(select(func.count()).select_from(PostcodeDistrict)) or 0


# --- Reading a file ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Columns:
    """Where in a line things stand."""

    code: int
    latitude: int | None = None
    longitude: int | None = None
    easting: int | None = None
    northing: int | None = None
    ended: int | None = None
    has_heading: bool = True


def _read(file: Path) -> Iterator[tuple[str | None, Centre | None]]:
    with file.open("rb") as opened:
        if opened.read(4).startswith(b"PK"):
            raise DirectoryNotReadable(f"{file.name} is a ZIP archive. Unpack it and give the CSV file inside.")
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        lines = csv.reader(text)
        try:
            first = next(lines, None)
            if not first:
                raise DirectoryNotReadable(f"{file.name} is empty.")
            columns = _columns(first, file.name)
            if not columns.has_heading:
                yield _district_and_centre(first, columns)
            for line in lines:
                if line:
                    yield _district_and_centre(line, columns)
        except csv.Error as fault:
            raise DirectoryNotReadable(f"{file.name} is not a CSV file that can be read: {fault}.") from fault


def _columns(first: Sequence[str], name: str) -> _Columns:
    heading = [word.strip().lower() for word in first]

    def place(names: Sequence[str]) -> int | None:
        return next((heading.index(one) for one in names if one in heading), None)

    code = place(DISTRICTS)
    code = place(POSTCODES) if code is None else code
    if code is None:
        if len(first) >= len(CODE_POINT) and keys.district(first[0]) and first[2].strip().isdigit():
            return _Columns(code=0, easting=2, northing=3, has_heading=False)
        raise DirectoryNotReadable(
            f"{name} has no column of postcodes or districts. Looked for: {', '.join((*POSTCODES, *DISTRICTS))}. "
            f"Its columns are: {', '.join(heading)[:200]}."
        )
    latitude, longitude = place(LATITUDES), place(LONGITUDES)
    easting, northing = place(EASTINGS), place(NORTHINGS)
    if (latitude is None or longitude is None) and (easting is None or northing is None):
        raise DirectoryNotReadable(
            f"{name} has no columns that say where a postcode is. Looked for lat and long, or oseast1m and osnrth1m. "
            f"Its columns are: {', '.join(heading)[:200]}."
        )
    return _Columns(code, latitude, longitude, easting, northing, place(ENDED))


def _district_and_centre(line: Sequence[str], columns: _Columns) -> tuple[str | None, Centre | None]:
    def cell(place: int | None) -> str:
        return line[place].strip() if place is not None and place < len(line) else ""

    if cell(columns.ended):
        return None, None
    district = keys.district(cell(columns.code))
    if district is None:
        return None, None
    latitude, longitude = _number(cell(columns.latitude)), _number(cell(columns.longitude))
    if latitude is not None and longitude is not None:
        centre = Centre(latitude, longitude)
    else:
        easting, northing = _number(cell(columns.easting)), _number(cell(columns.northing))
        # Northern Ireland's are counted on another grid.
        if not easting or not northing or district.startswith("BT"):
            return district, None
        centre = from_national_grid(easting, northing)
    is_in_uk = 49 <= centre.latitude <= 61 and -9 <= centre.longitude <= 2
    return district, centre if is_in_uk else None


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", text, re.IGNORECASE) else None


def from_national_grid(easting: float, northing: float) -> Centre:
    """Where a point of the National Grid is, within some 120 metres: the shift of datum is left out.

    Inverse of the transverse Mercator projection on Airy's ellipsoid (Ordnance Survey, A guide to coordinate systems
    in Great Britain, annexe C).
    """
    a, b, scale = 6377563.396, 6356256.909, 0.9996012717
    lat_0, lon_0, east_0, north_0 = radians(49), radians(-2), 400000.0, -100000.0
    e2, n = 1 - (b * b) / (a * a), (a - b) / (a + b)

    def arc(lat: float) -> float:
        less, more = lat - lat_0, lat + lat_0
        return (
            b
            * scale
            * (
                (1 + n + 5 / 4 * (n**2 + n**3)) * less
                - (3 * n + 3 * n**2 + 21 / 8 * n**3) * sin(less) * cos(more)
                + 15 / 8 * (n**2 + n**3) * sin(2 * less) * cos(2 * more)
                - 35 / 24 * n**3 * sin(3 * less) * cos(3 * more)
            )
        )

    lat = lat_0 + (northing - north_0) / (a * scale)
    for _ in range(10):
        lat += (northing - north_0 - arc(lat)) / (a * scale)
    nu = a * scale / sqrt(1 - e2 * sin(lat) ** 2)
    rho = a * scale * (1 - e2) / (1 - e2 * sin(lat) ** 2) ** 1.5
    eta2, t, off = nu / rho - 1, tan(lat), easting - east_0
    latitude = (
        lat
        - t / (2 * rho * nu) * off**2
        + t / (24 * rho * nu**3) * (5 + 3 * t**2 + eta2 - 9 * t**2 * eta2) * off**4
        - t / (720 * rho * nu**5) * (61 + 90 * t**2 + 45 * t**4) * off**6
    )
    longitude = (
        lon_0
        + off / (nu * cos(lat))
        - off**3 / (6 * nu**3 * cos(lat)) * (nu / rho + 2 * t**2)
        + off**5 / (120 * nu**5 * cos(lat)) * (5 + 28 * t**2 + 24 * t**4)
    )
    return Centre(degrees(latitude), degrees(longitude))
