"""Directories of postcodes, and the road between visits as officers are offered it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from crm.access.models import User
from crm.calendars.busy import replace_busy
from crm.calendars.models import BusySpan
from crm.clock import now_utc
from crm.db import db, transaction
from crm.rules.intervals import Span
from crm.rules.travel import Centre, TravelBy
from crm.visits import districts, queries, roads
from crm.visits.availability import Wanted
from crm.visits.booking import SlotTaken
from crm.visits.districts import DirectoryNotReadable, centres_of, keep_centres, load_directories
from crm.visits.models import Place, PostcodeDistrict, VisitOfficer
from tests.visits.conftest import at

CENTRES = {
    "SE6": Centre(51.4405, -0.0162),
    "BR1": Centre(51.4110, 0.0220),
    "CT1": Centre(51.2760, 1.0780),
}


@pytest.fixture
def centres(verbs):
    with transaction():
        keep_centres(CENTRES)


def starts(verbs, postcode, *, day="2026-07-14", place=Place.HOME, length=90, quiet=()):
    slots = queries.slots_to_choose(
        [verbs.cast.officer.id],
        first_day=at(f"{day} 00:00").date(),
        days=1,
        wanted=Wanted(length_minutes=length, place=place, postcode=postcode, quiet=quiet),
        now=now_utc(),
        today=at("2026-07-06 00:00").date(),
    )
    return [f"{slot.starts_at.astimezone(at('2026-07-06 00:00').tzinfo):%H:%M}" for slot in slots]


# --- Directories ------------------------------------------------------------------------------------------------------

ONS = (
    "pcd,pcd2,pcds,dointr,doterm,oseast1m,osnrth1m,lat,long\n"
    '"SE6 0KV","SE6  0KV","SE6 0KV","198001","",537800,173700,51.440000,-0.016000\n'
    '"SE6 0KW","SE6  0KW","SE6 0KW","198001","",537800,173700,51.442000,-0.018000\n'
    '"SE6 9ZZ","SE6  9ZZ","SE6 9ZZ","198001","201201",537800,173700,51.940000,-0.516000\n'
    '"GY1 1AA","GY1  1AA","GY1 1AA","198001","",,,99.999999,0.000000\n'
)
CODE_POINT = '"BR1 3KO",10,540300,169300,"E92000001"\n"BR1 3KP",10,540300,169300,"E92000001"\n'


def test_the_middle_of_the_postcodes_in_use_is_the_centre_of_their_district(app, session, tmp_path):
    file = tmp_path / "onspd.csv"
    file.write_text(ONS, encoding="utf-8-sig")

    with transaction():
        loaded = load_directories([file])

    assert (loaded.districts, loaded.lines, loaded.passed_over) == (1, 4, 2)
    assert centres_of(["SE6", "BR1", None]) == {"SE6": Centre(51.441, -0.017)}
    assert db.session.get_one(PostcodeDistrict, "SE6").postcodes == 2


def test_national_grid_is_read_without_a_heading_and_a_list_of_districts_replaces_it(app, session, tmp_path):
    code_point, outcodes = tmp_path / "br.csv", tmp_path / "outcodes.csv"
    code_point.write_text(CODE_POINT)
    outcodes.write_text("outcode,latitude,longitude\nBR1,51.4,0.02\nCT1,51.276,1.078\n")

    with transaction():
        load_directories([code_point])
    found = centres_of(["BR1"])["BR1"]
    assert (found.latitude, found.longitude) == (pytest.approx(51.404, abs=0.002), pytest.approx(0.016, abs=0.003))
    with transaction():
        load_directories([outcodes])
    assert centres_of(["BR1", "CT1"]) == {"BR1": Centre(51.4, 0.02), "CT1": Centre(51.276, 1.078)}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "ZIP archive"),
        (b"name,age\nA,1\n", "no column of postcodes or districts"),
        (b"pcds,ward\nSE6 0KV,E05\n", "no columns that say where"),
        (b"pcds,lat,long\nnonsense,51,0\n", "No line of that"),
        (b"pcds,lat,long\nSE6 0KV,north,west\n", "No line of that"),
    ],
)
def test_a_file_that_is_no_directory_is_refused_in_words(app, session, tmp_path, content, says):
    file = tmp_path / "some.csv"
    file.write_bytes(content)

    with pytest.raises(DirectoryNotReadable, match=says), transaction():
        load_directories([file])


def test_a_grid_reference_is_where_the_map_has_it():
    # The worked example of Ordnance Survey's guide, near Caister: 52.6576 N, 1.7179 E on Airy's ellipsoid.
    found = districts.from_national_grid(651409.903, 313177.270)

    assert (found.latitude, found.longitude) == (pytest.approx(52.65757, abs=1e-4), pytest.approx(1.71792, abs=1e-4))


# --- The road in what is offered --------------------------------------------------------------------------------------


def test_a_near_visit_fits_where_a_far_one_does_not(verbs, centres):
    verbs.book(verbs.household(1), "2026-07-14 12:00")  # to SE6, until 1:30pm

    near, far = starts(verbs, "BR1 3KO"), starts(verbs, "CT1 2EH")

    assert "14:00" in near  # 25 minutes
    assert min(one for one in far if one > "12:00") >= "15:00"  # 95 minutes and more
    with pytest.raises(SlotTaken, match="with the time to get there"):
        verbs.book(verbs.household(2, postcode="CT1 2EH"), "2026-07-14 14:30")
    assert verbs.book(verbs.household(3, postcode="BR1 3KO"), "2026-07-14 14:00").is_booked


def test_a_road_that_is_not_known_is_said_to_be_assumed(verbs):
    verbs.book(verbs.household(1), "2026-07-14 12:00")

    with pytest.raises(SlotTaken, match="30 minutes, which is assumed"):
        verbs.book(verbs.household(2), "2026-07-14 13:45")


def test_a_nearer_visit_may_follow_sooner_than_the_usual_road(verbs, centres):
    verbs.book(verbs.household(1), "2026-07-14 12:00")

    verbs.book(verbs.household(2), "2026-07-14 13:45")  # SE6 again: 15 minutes

    rows = db.session.scalars(sa.select(VisitOfficer).order_by(VisitOfficer.starts_at)).all()
    assert [row.blocked_until_at for row in rows] == [at("2026-07-14 13:45"), at("2026-07-14 15:45")]


def test_what_an_officer_said_is_kept_for_the_next_who_go_that_way(verbs, centres):
    verbs.book(verbs.household(1), "2026-07-14 12:00")
    assert "14:00" in starts(verbs, "BR1 3KO")

    with transaction():
        roads.say_how_long("SE6", "BR1", TravelBy.CAR, 60, actor=verbs.cast.officer.actor, now=now_utc())
        roads.say_how_long("BR1", "SE6", TravelBy.CAR, 75, actor=verbs.cast.officer.actor, now=now_utc())

    assert min(one for one in starts(verbs, "BR1 3KO") if one > "12:00") == "14:45"


def test_the_day_begins_and_ends_where_the_officer_sets_out_from(verbs, centres):
    with transaction():
        db.session.get_one(User, verbs.cast.officer.id).base_postcode = "BR1 3KO"

    assert starts(verbs, "CT1 2EH")[0] == "10:45"
    assert starts(verbs, "SE6 0KV")[0] == "09:30"
    assert starts(verbs, None, place=Place.VIDEO)[0] == "09:00"
    with pytest.raises(SlotTaken, match="their day begins and ends"):
        verbs.book(verbs.household(postcode="CT1 2EH"), "2026-07-14 09:30")


def test_times_that_the_household_asked_to_be_left_are_not_offered(verbs):
    offered = starts(verbs, "SE6 0KV", quiet=("morning",))

    assert offered[0] == "12:00"


def test_what_a_calendar_says_takes_its_time_and_is_replaced_by_what_it_says_next(verbs):
    officer_id = verbs.cast.officer.id
    morning = Span(at("2026-07-14 09:00"), at("2026-07-14 12:00"))
    with transaction():
        replace_busy(officer_id, "calendar:1", [morning, Span(at("2026-07-14 11:00"), at("2026-07-14 13:00"))])
        replace_busy(officer_id, "caldav", [Span(at("2026-07-14 16:00"), at("2026-07-14 19:30"))])
        assert db.session.scalar(sa.select(sa.func.count()).select_from(BusySpan)) == 2
    assert starts(verbs, "SE6 0KV")[0] == "13:30"
    assert starts(verbs, "SE6 0KV")[-1] <= "14:00"

    with transaction():
        assert replace_busy(officer_id, "calendar:1", []) == 0

    assert starts(verbs, "SE6 0KV")[0] == "09:00"
