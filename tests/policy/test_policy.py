"""The dated rows behind the rules: what they amount to, who may change them, and what they cost to read."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import delete, select

from crm import policy
from crm.audit import AuditEntry
from crm.db import db, transaction
from crm.policy import changing, reading
from crm.policy.models import PolicyKind, PolicyRow, PolicyVersion
from crm.policy.reading import editions_of
from crm.rules.permissions import Actor, ActorKind, NotPermitted, Role
from crm.rules.rulebook import default_rulebook
from crm.rules.stage_one_checks import Circumstances, HouseholdPerson, Part, requirements

NOW = datetime(2026, 7, 14, 12, tzinfo=UTC)
TODAY = date(2026, 7, 14)
ADMIN = Actor(ActorKind.STAFF, user_id=1, display_name="Ada", roles=frozenset({Role.ADMINISTRATOR}))
MANAGER = Actor(ActorKind.STAFF, user_id=2, display_name="Mo", roles=frozenset({Role.MANAGER}))


@pytest.fixture
def policied(session):
    from crm.audit import use_key

    use_key("a secret that is used in tests and nowhere else")
    with transaction():
        policy.ensure_defaults(now=NOW)
    return session


def test_without_any_row_the_rules_are_those_of_the_law_and_the_product(session):
    rulebook = policy.rulebook_on(TODAY)

    assert rulebook.deadlines == default_rulebook(TODAY).deadlines
    assert policy.service().name == "Kestrel Fostering"
    assert policy.wording("consent.email").version == "1"


def test_writing_down_the_defaults_changes_nothing_and_is_done_once(policied):
    before = policy.rulebook_on(TODAY)

    with transaction():
        again = policy.ensure_defaults(now=NOW)

    assert again is False
    assert before.deadlines == default_rulebook(TODAY).deadlines
    assert policy.policy_version() == 1


def test_two_that_begin_at_once_both_succeed_and_one_writes(app, session, monkeypatch):
    """A release is started on two machines: on PostgreSQL both see an empty table before either has written."""
    with transaction():
        for table in (PolicyRow, PolicyVersion):
            session.execute(delete(table))
    both_looked, wrote, faults = threading.Barrier(2), [], []
    draw = secrets.token_hex

    def once_both_looked(length: int) -> str:
        if db.engine.dialect.name == "postgresql":
            both_looked.wait(30)
        return draw(length)

    monkeypatch.setattr(changing.secrets, "token_hex", once_both_looked)

    def begin() -> None:
        with app.app_context():
            try:
                with transaction():
                    wrote.append(policy.ensure_defaults(now=NOW))
            except Exception as fault:
                faults.append(fault)
            finally:
                db.session.remove()

    db.session.rollback()
    racers = [threading.Thread(target=begin) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert faults == []
    assert sorted(wrote) == [False, True]
    assert policy.policy_version() == 1


def test_a_changed_setting_is_read_back_and_keeps_its_history(policied):
    with transaction():
        changing.change_setting(name="name", value="Alder Vale Fostering", actor=ADMIN, now=NOW, today=TODAY)

    assert policy.service().name == "Alder Vale Fostering"
    assert policy.service(date(2026, 7, 13)).name == "Kestrel Fostering"
    assert [one.value for one in editions_of(PolicyKind.SETTING, "name")] == [
        "Alder Vale Fostering",
        "Kestrel Fostering",
    ]


def test_a_promise_changes_from_its_day_and_earlier_days_keep_the_old_one(policied):
    with transaction():
        changing.change_promise(
            clock="first_contact", length=2, in_force_from=date(2026, 8, 1), actor=ADMIN, now=NOW, today=TODAY
        )

    assert policy.rulebook_on(date(2026, 7, 31)).deadline("first_contact").length == 1
    assert policy.rulebook_on(date(2026, 8, 1)).deadline("first_contact").length == 2
    assert policy.rulebook_on(date(2026, 8, 1)).deadline("first_contact").edition == "first_contact@2026-08-01"


def test_what_the_law_sets_cannot_be_changed_as_a_promise(policied):
    with transaction(), pytest.raises(changing.PolicyNotChanged):
        changing.change_promise(
            clock="stage_one_decision", length=20, in_force_from=TODAY, actor=ADMIN, now=NOW, today=TODAY
        )


def test_only_those_who_manage_settings_may_change_policy(policied):
    with transaction(), pytest.raises(NotPermitted):
        changing.change_setting(name="name", value="Mine", actor=MANAGER, now=NOW, today=TODAY)


def test_a_one_off_holiday_moves_the_clocks_until_it_is_taken_back(policied):
    friday = date(2026, 7, 17)
    with transaction():
        holiday = changing.add_one_off_holiday(day=friday, name="State funeral", actor=ADMIN, now=NOW)

    assert policy.rulebook_on(TODAY).due_on("first_contact", date(2026, 7, 16)) == date(2026, 7, 20)

    with transaction():
        changing.withdraw_one_off_holiday(holiday=holiday, actor=ADMIN, now=NOW)
    assert policy.rulebook_on(TODAY).due_on("first_contact", date(2026, 7, 16)) == friday


def test_a_bank_holiday_that_was_moved_away_is_a_working_day(policied):
    with transaction():
        changing.add_one_off_holiday(day=date(2027, 5, 3), name="Moved to 7 May", is_worked=True, actor=ADMIN, now=NOW)

    assert policy.rulebook_on(TODAY).calendar.is_working_day(date(2027, 5, 3))


def test_the_minimum_age_is_the_services_to_set_but_not_below_the_law(policied):
    with transaction():
        changing.change_criterion(
            name="age", changes={"usual_minimum_age": 18}, in_force_from=TODAY, actor=ADMIN, now=NOW, today=TODAY
        )
    with transaction(), pytest.raises(changing.PolicyNotChanged):
        changing.change_criterion(
            name="age", changes={"usual_minimum_age": 17}, in_force_from=TODAY, actor=ADMIN, now=NOW, today=TODAY
        )

    advice = policy.rulebook_on(TODAY).assess({"age": date(2007, 2, 10)})
    assert advice.findings[0].outcome == "eligible"


def test_a_hard_stop_of_the_law_can_be_neither_softened_nor_dropped(policied):
    for changes in ({"options": {"yes": {"outcome": "conversation"}}}, {"is_asked": False}):
        with transaction(), pytest.raises(changing.PolicyNotChanged):
            changing.change_criterion(
                name="specified_offence", changes=changes, in_force_from=TODAY, actor=ADMIN, now=NOW, today=TODAY
            )


def test_a_reform_can_be_entered_ahead_of_its_day(policied):
    with transaction():
        changing.set_panel_required(
            required=False,
            in_force_from=date(2027, 4, 1),
            source="Fostering Services (England) (Amendment) Regulations 2027",
            actor=ADMIN,
            now=NOW,
        )

    assert policy.rulebook_on(date(2027, 3, 31)).panel_required
    assert not policy.rulebook_on(date(2027, 4, 1)).panel_required


def test_a_local_check_can_be_added_and_dropped_and_is_never_called_law(policied):
    value = {"what": "driving licence and insurance", "why": "Children are driven", "who": "applicants"}
    with transaction():
        changing.change_local_check(
            item="driving_licence", value=value, in_force_from=TODAY, actor=ADMIN, now=NOW, today=TODAY
        )
    people = [HouseholdPerson(1, "Sam", Part.APPLICANT_1, date(1980, 1, 1))]

    def asked() -> dict[str, bool]:
        needed = requirements(people, Circumstances(), policy.rulebook_on(TODAY))
        return {one.item: one.is_statutory for one in needed}

    assert asked()["driving_licence"] is False
    with transaction():
        changing.change_local_check(
            item="driving_licence",
            value={**value, "is_asked": False},
            in_force_from=TODAY,
            actor=ADMIN,
            now=NOW,
            today=TODAY,
        )
    assert "driving_licence" not in asked()


def test_a_check_of_the_law_cannot_be_dropped(policied):
    value = {"what": "DBS", "why": "none", "who": "applicants", "is_asked": False}

    with transaction(), pytest.raises(changing.PolicyNotChanged):
        changing.change_local_check(item="dbs", value=value, in_force_from=TODAY, actor=ADMIN, now=NOW, today=TODAY)


def test_new_words_get_a_new_version_and_the_old_words_can_still_be_shown(policied):
    with transaction():
        version = changing.publish_wording(
            name="consent.email",
            text="Yes, email me about events near me.",
            in_force_from=TODAY,
            actor=ADMIN,
            now=NOW,
            today=TODAY,
        )

    assert policy.wording("consent.email").version == version == "2"
    assert "email me" in policy.wording_of_version("consent.email", "1").text


def test_a_length_that_the_law_sets_for_keeping_records_stays(policied):
    with transaction(), pytest.raises(changing.PolicyNotChanged):
        changing.change_retention(
            kind="application_ended", months=12, in_force_from=TODAY, actor=ADMIN, now=NOW, today=TODAY
        )
    with transaction():
        changing.change_retention(kind="enquiry", months=12, in_force_from=TODAY, actor=ADMIN, now=NOW, today=TODAY)

    assert policy.rulebook_on(TODAY).retention["enquiry"].months == 12


def test_a_change_made_on_an_old_view_of_the_settings_is_refused(policied):
    seen = policy.policy_version()
    with transaction():
        changing.change_setting(name="phone", value="01632 960 141", actor=ADMIN, now=NOW, today=TODAY, seen=seen)

    with pytest.raises(changing.PolicyOvertaken), transaction():
        changing.change_setting(name="phone", value="01632 960 142", actor=ADMIN, now=NOW, today=TODAY, seen=seen)
    assert policy.service().phone == "01632 960 141"


def test_a_change_that_is_rolled_back_is_never_seen_again(policied):
    changing.change_setting(name="phone", value="01632 960 199", actor=ADMIN, now=NOW, today=TODAY)
    assert policy.service().phone == "01632 960 199"

    db.session.rollback()

    assert policy.service().phone == "01632 960 140"


def test_every_change_is_in_the_trail(policied):
    with transaction():
        changing.change_promise(clock="initial_visit", length=8, in_force_from=TODAY, actor=ADMIN, now=NOW, today=TODAY)

    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.event == "policy.changed")).one()
    assert entry.actor_id == 1
    assert entry.detail["name"] == "initial_visit"


def test_the_rulebook_costs_one_small_question_a_transaction(policied, queries):
    policy.rulebook_on(TODAY)
    db.session.rollback()

    with queries() as sent:
        for _ in range(5):
            policy.rulebook_on(TODAY)
            policy.service()

    assert len([one for one in sent if one.lstrip().upper().startswith("SELECT")]) == 1


def test_a_change_is_seen_by_whoever_asks_next(policied, app):
    policy.service()
    with transaction():
        changing.change_setting(name="hours", value="Every day, 8am to 8pm", actor=ADMIN, now=NOW, today=TODAY)

    with app.app_context():
        assert policy.service().hours == "Every day, 8am to 8pm"


def test_pages_share_a_policy_for_a_second_and_writers_never(policied, app, monkeypatch):
    """Another process changes the service's name: a page may show the old one for a second, and nothing is written by
    it."""
    clock = [100.0]
    monkeypatch.setattr(reading, "FRESH_SECONDS", 1.0)
    monkeypatch.setattr(reading.time, "monotonic", lambda: clock[0])

    def name_on_page():
        with app.app_context(), app.test_request_context("/"):
            return policy.service().name

    assert name_on_page() == "Kestrel Fostering"
    seen = reading._seen[db.engine]
    with transaction():
        changing.change_setting(name="name", value="Alder Vale Fostering", actor=ADMIN, now=NOW, today=TODAY)
    reading._seen[db.engine] = seen  # the other process forgot what it had seen; this one still has it

    clock[0] += 0.9
    assert name_on_page() == "Kestrel Fostering"
    with transaction():
        assert policy.service().name == "Alder Vale Fostering"
    reading._seen[db.engine] = seen
    clock[0] += 0.2
    assert name_on_page() == "Alder Vale Fostering"


@pytest.mark.parametrize(
    "name, value",
    [
        ("email", "hello at kestrel"),
        ("brand_colour", "teal"),
        ("brand_colour", "#ffee00"),
        ("reference_prefix", "K1"),
        ("areas", [{"name": "Bromley", "districts": ["Bromley"]}]),
        ("areas", [{"name": "A", "districts": ["BR1"]}, {"name": "B", "districts": ["br1"]}]),
        ("visit_minutes", 0),
        ("name", "   "),
        ("kind", "club"),
        ("nonsense", "x"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_how_to_put_it_right(policied, name, value):
    with transaction(), pytest.raises(changing.PolicyNotChanged) as refused:
        changing.change_setting(name=name, value=value, actor=ADMIN, now=NOW, today=TODAY)

    assert refused.value.status == 422
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize(
    "written, area",
    [("BR1 3KO", "Bromley and Lewisham"), ("br13ko", "Bromley and Lewisham"), ("ME14", "West Kent"), ("LS1 4KO", None)],
)
def test_a_postcode_finds_its_area(session, written, area):
    found = policy.service().area_of(written)

    assert (found.name if found else None) == area
