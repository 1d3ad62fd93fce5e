"""Who may do what, and who may see what."""

from __future__ import annotations

import pytest

from crm.rules.permissions import (
    ROLE_PERMISSIONS,
    SEPARATE_DUTIES,
    SYSTEM,
    Actor,
    ActorKind,
    NotPermitted,
    Permission,
    Role,
    Sensitivity,
    may_see,
    require,
    who_may,
)
from tests.rules.journey import (
    ADMINISTRATOR,
    APPLICANT,
    DECISION_MAKER,
    MANAGER,
    OFFICER,
    PANEL_MEMBER,
    RECRUITER,
    STRANGER,
)

CLOSE = (Sensitivity.HEALTH, Sensitivity.OFFENCE, Sensitivity.REFERENCE)


def test_every_permission_is_somebodys():
    assert set().union(*ROLE_PERMISSIONS.values()) == set(Permission)


@pytest.mark.parametrize("one, other", SEPARATE_DUTIES)
def test_no_role_holds_both_of_two_duties_that_are_kept_apart(one, other):
    assert not [role for role, held in ROLE_PERMISSIONS.items() if {one, other} <= held]


def test_the_system_decides_nothing_about_a_family():
    decisions = {
        Permission.DECIDE_ELIGIBILITY,
        Permission.SIGN_OFF_VISIT,
        Permission.DECIDE_TO_ASSESS,
        Permission.DECIDE_STAGE_ONE,
        Permission.COUNTERSIGN_REPORT,
        Permission.RECORD_RECOMMENDATION,
        Permission.MAKE_DECISION,
        Permission.CORRECT_STAGE,
        Permission.CLOSE_ENQUIRY,
    }

    assert not SYSTEM.permissions & decisions


def test_roles_give_nothing_to_an_applicant():
    pretender = Actor(ActorKind.APPLICANT, person_id=1, roles=frozenset(Role))

    assert pretender.permissions == APPLICANT.permissions


def test_a_refusal_says_who_may():
    with pytest.raises(NotPermitted) as no:
        require(OFFICER, Permission.MAKE_DECISION)

    assert (no.value.status, no.value.message) == (403, "This is for the decision maker to do.")
    assert who_may(Permission.BOOK_VISIT) == "a recruiter, an officer or a manager"


@pytest.mark.parametrize("sensitivity", Sensitivity)
def test_an_administrator_sees_nothing_of_any_household(sensitivity):
    assert not may_see(ADMINISTRATOR, sensitivity, subject_person_id=70, on_case=True)


def test_an_administrator_who_is_also_a_manager_sees_as_a_manager():
    both = Actor(ActorKind.STAFF, user_id=9, roles=frozenset({Role.ADMINISTRATOR, Role.MANAGER}))

    assert may_see(both, Sensitivity.ORDINARY, subject_person_id=70, on_case=False)


@pytest.mark.parametrize("sensitivity", CLOSE)
def test_health_offences_and_references_are_for_those_on_the_case_and_managers(sensitivity):
    for actor in (OFFICER, RECRUITER, PANEL_MEMBER, DECISION_MAKER):
        assert may_see(actor, sensitivity, subject_person_id=70, on_case=True)
        assert not may_see(actor, sensitivity, subject_person_id=70, on_case=False)
    assert may_see(MANAGER, sensitivity, subject_person_id=70, on_case=False)


def test_panel_members_and_decision_makers_see_a_household_only_while_it_is_before_them():
    for actor in (PANEL_MEMBER, DECISION_MAKER):
        assert not may_see(actor, Sensitivity.ORDINARY, subject_person_id=70, on_case=False)


def test_an_applicant_sees_their_own_facts_but_no_reference_and_no_note_on_safety():
    own = {one for one in Sensitivity if may_see(APPLICANT, one, subject_person_id=70, on_case=True)}

    assert own == {Sensitivity.ORDINARY, Sensitivity.PERSONAL, Sensitivity.HEALTH, Sensitivity.OFFENCE}


@pytest.mark.parametrize("sensitivity", Sensitivity)
def test_a_joint_applicant_sees_nothing_of_the_others(sensitivity):
    assert not may_see(APPLICANT, sensitivity, subject_person_id=71, on_case=True)


def test_what_is_about_the_home_both_partners_see_unless_it_is_sensitive():
    seen = {one for one in Sensitivity if may_see(APPLICANT, one, subject_person_id=None, on_case=True)}

    assert seen == {Sensitivity.ORDINARY, Sensitivity.PERSONAL}


@pytest.mark.parametrize("sensitivity", Sensitivity)
def test_strangers_referees_and_applicants_of_other_households_see_nothing(sensitivity):
    referee = Actor(ActorKind.REFEREE, person_id=70)

    for actor in (STRANGER, referee):
        assert not may_see(actor, sensitivity, subject_person_id=70, on_case=True)
    assert not may_see(APPLICANT, sensitivity, subject_person_id=70, on_case=False)
