"""Who may do what, and who may see what, as data.

Duties are kept apart on purpose: whoever assesses does not decide, whoever sits on panel does not decide
(Fostering Services (England) Regulations 2011, reg 27; National Minimum Standards 2011, standard 14), and whoever runs
the system sees no household's story.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from crm.rules.refusal import Refusal


class NotPermitted(Refusal):
    """The person may not do this."""

    default_status = 403


class Role(StrEnum):
    """What a member of staff does here. One person may hold several."""

    RECRUITER = "recruiter"
    OFFICER = "officer"
    MANAGER = "manager"
    PANEL_ADMINISTRATOR = "panel_administrator"
    PANEL_MEMBER = "panel_member"
    DECISION_MAKER = "decision_maker"
    ADMINISTRATOR = "administrator"

    @property
    def words(self) -> str:
        """The role as it is said on screen, with its article: "a manager"."""
        return _ROLE_WORDS[self]


_ROLE_WORDS: Mapping[str, str] = {
    "recruiter": "a recruiter",
    "officer": "an officer",
    "manager": "a manager",
    "panel_administrator": "the panel administrator",
    "panel_member": "a panel member",
    "decision_maker": "the decision maker",
    "administrator": "an administrator",
}


class Permission(StrEnum):
    """One thing that somebody may be allowed to do."""

    # Finding and reading
    VIEW_CASES = "view_cases"  # open the households within one's scope
    VIEW_ALL_ENQUIRIES = "view_all_enquiries"  # scope: every household that has not applied yet
    VIEW_PANEL_CASES = "view_panel_cases"  # scope: every household on its way to, at or after panel
    VIEW_ALL_CASES = "view_all_cases"  # scope: every household
    VIEW_BOARD = "view_board"
    VIEW_REPORTS = "view_reports"
    WRITE_NOTE = "write_note"

    # Enquiry
    LOG_ENQUIRY = "log_enquiry"
    RECORD_CONTACT = "record_contact"
    DECIDE_ELIGIBILITY = "decide_eligibility"
    CLOSE_ENQUIRY = "close_enquiry"
    AGREE_CLOSING = "agree_closing"  # that nobody answers, after the tries the service asks for
    MERGE_CASES = "merge_cases"
    EXPORT_LISTS = "export_lists"  # take rows of a list away as a file
    WRITE_TO_MANY = "write_to_many"  # write to the people of a list at once
    AGREE_MERGE = "agree_merge"  # look at a doubtful merge that somebody else asked for
    MANAGE_EVENTS = "manage_events"
    IMPORT_SHEET = "import_sheet"

    # Visits
    BOOK_VISIT = "book_visit"
    RECORD_VISIT = "record_visit"
    SIGN_OFF_VISIT = "sign_off_visit"

    # Assessment
    RECORD_APPLICATION = "record_application"
    DECIDE_TO_ASSESS = "decide_to_assess"
    RECORD_CHECK = "record_check"
    DECIDE_STAGE_ONE = "decide_stage_one"
    WRITE_ASSESSMENT = "write_assessment"
    COUNTERSIGN_REPORT = "countersign_report"
    WITHDRAW_APPLICATION = "withdraw_application"
    MANAGE_COURSES = "manage_courses"  # plan a preparation course, change it and call it off
    BOOK_COURSE = "book_course"  # see the courses, and take a household on one; facilitators mark their own

    # Panel and decision
    MANAGE_PANEL = "manage_panel"
    SIT_ON_PANEL = "sit_on_panel"
    RECORD_RECOMMENDATION = "record_recommendation"
    MAKE_DECISION = "make_decision"
    GIVE_NOTICE = "give_notice"
    RECORD_POST = "record_post"

    # Running the service
    CORRECT_STAGE = "correct_stage"
    ANSWER_FOR_CLOCKS = "answer_for_clocks"  # see how everybody's cases go, and say why a clock was missed
    PREVIEW_LETTERS = "preview_letters"  # read the words of a letter as they would go to a household
    ASSIGN_CASES = "assign_cases"
    APPROVE_EXPORT = "approve_export"  # be the second person for a large file, or for writing to many
    MANAGE_USERS = "manage_users"
    MANAGE_SETTINGS = "manage_settings"
    TRY_RULES = "try_rules"  # read the eligibility rules and what a change of them would have meant
    VIEW_AUDIT = "view_audit"
    VIEW_OUTBOX = "view_outbox"
    RUN_CHECKS = "run_checks"


P = Permission

_READ: frozenset[Permission] = frozenset({P.VIEW_CASES, P.VIEW_BOARD, P.WRITE_NOTE})

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.RECRUITER: _READ
        | {
            P.VIEW_ALL_ENQUIRIES,
            P.VIEW_REPORTS,
            P.LOG_ENQUIRY,
            P.RECORD_CONTACT,
            P.DECIDE_ELIGIBILITY,
            P.CLOSE_ENQUIRY,
            P.MERGE_CASES,
            P.EXPORT_LISTS,
            P.WRITE_TO_MANY,
            P.MANAGE_EVENTS,
            P.IMPORT_SHEET,
            P.BOOK_VISIT,
            P.MANAGE_COURSES,
            P.BOOK_COURSE,
            P.RECORD_POST,
        },
        Role.OFFICER: _READ
        | {
            P.LOG_ENQUIRY,
            P.RECORD_CONTACT,
            P.DECIDE_ELIGIBILITY,
            P.BOOK_VISIT,
            P.RECORD_VISIT,
            P.RECORD_APPLICATION,
            P.RECORD_CHECK,
            P.WRITE_ASSESSMENT,
            P.WITHDRAW_APPLICATION,
            P.BOOK_COURSE,
            P.GIVE_NOTICE,
            P.RECORD_POST,
        },
        Role.MANAGER: _READ
        | {
            P.VIEW_ALL_CASES,
            P.VIEW_ALL_ENQUIRIES,
            P.VIEW_PANEL_CASES,
            P.VIEW_REPORTS,
            P.LOG_ENQUIRY,
            P.RECORD_CONTACT,
            P.DECIDE_ELIGIBILITY,
            P.CLOSE_ENQUIRY,
            P.AGREE_CLOSING,
            P.MERGE_CASES,
            P.EXPORT_LISTS,
            P.WRITE_TO_MANY,
            P.APPROVE_EXPORT,
            P.MANAGE_EVENTS,
            P.IMPORT_SHEET,
            P.BOOK_VISIT,
            P.RECORD_VISIT,
            P.SIGN_OFF_VISIT,
            P.RECORD_APPLICATION,
            P.DECIDE_TO_ASSESS,
            P.RECORD_CHECK,
            P.DECIDE_STAGE_ONE,
            P.WRITE_ASSESSMENT,
            P.COUNTERSIGN_REPORT,
            P.WITHDRAW_APPLICATION,
            P.MANAGE_COURSES,
            P.BOOK_COURSE,
            P.GIVE_NOTICE,
            P.RECORD_POST,
            P.CORRECT_STAGE,
            P.ANSWER_FOR_CLOCKS,
            P.PREVIEW_LETTERS,
            P.AGREE_MERGE,
            P.ASSIGN_CASES,
            P.VIEW_AUDIT,
            P.TRY_RULES,
        },
        Role.PANEL_ADMINISTRATOR: _READ
        | {
            P.VIEW_PANEL_CASES,
            P.MANAGE_PANEL,
            P.RECORD_RECOMMENDATION,
            P.GIVE_NOTICE,
            P.RECORD_POST,
        },
        Role.PANEL_MEMBER: frozenset({P.VIEW_CASES, P.SIT_ON_PANEL}),
        Role.DECISION_MAKER: frozenset({P.VIEW_CASES, P.MAKE_DECISION, P.GIVE_NOTICE}),
        Role.ADMINISTRATOR: frozenset(
            {
                P.MANAGE_USERS,
                P.MANAGE_SETTINGS,
                P.APPROVE_EXPORT,
                P.TRY_RULES,
                P.VIEW_AUDIT,
                P.VIEW_OUTBOX,
                P.RUN_CHECKS,
            }
        ),
    }
)

# Kept apart: no one role may hold both of a pair. Two roles held by one person are caught case by case, by the
# requirement `decision_maker_stands_apart` of the moves.
SEPARATE_DUTIES: tuple[tuple[Permission, Permission], ...] = (
    (P.WRITE_ASSESSMENT, P.MAKE_DECISION),
    (P.SIT_ON_PANEL, P.MAKE_DECISION),
    (P.WRITE_ASSESSMENT, P.SIT_ON_PANEL),
    (P.MANAGE_USERS, P.VIEW_CASES),
)


class ActorKind(StrEnum):
    """What kind of someone is acting."""

    STAFF = "staff"
    APPLICANT = "applicant"
    REFEREE = "referee"
    PUBLIC = "public"
    SYSTEM = "system"


# What those without a role may do. A program never decides about a family: the system may note that the last check
# came in and act on a calendar's answer, no more. A family settles its own visit by its own link, and hands in its own
# application.
_KIND_PERMISSIONS: Mapping[ActorKind, frozenset[Permission]] = MappingProxyType(
    {
        ActorKind.STAFF: frozenset(),
        ActorKind.APPLICANT: frozenset({P.LOG_ENQUIRY, P.BOOK_VISIT, P.RECORD_APPLICATION}),
        ActorKind.REFEREE: frozenset(),
        ActorKind.PUBLIC: frozenset({P.LOG_ENQUIRY}),
        ActorKind.SYSTEM: frozenset({P.LOG_ENQUIRY, P.BOOK_VISIT, P.RECORD_CHECK, P.RUN_CHECKS}),
    }
)


@lru_cache(maxsize=256)
def permissions_of(kind: ActorKind, roles: frozenset[Role]) -> frozenset[Permission]:
    """All that an actor of this kind with these roles may do. Only staff gain anything from roles."""
    permissions = _KIND_PERMISSIONS[kind]
    if kind is ActorKind.STAFF:
        for role in roles:
            permissions |= ROLE_PERMISSIONS[role]
    return permissions


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever is doing this: a member of staff, an applicant, a referee, a stranger or the system itself."""

    kind: ActorKind
    user_id: int | None = None
    person_id: int | None = None
    display_name: str = ""
    roles: frozenset[Role] = frozenset()

    @property
    def permissions(self) -> frozenset[Permission]:
        """All that this actor may do."""
        return permissions_of(self.kind, self.roles)

    def has(self, permission: Permission) -> bool:
        """Whether this actor may do it at all. Which households it covers is the caller's question."""
        return permission in permissions_of(self.kind, self.roles)

    @property
    def is_staff(self) -> bool:
        """Whether this is a member of staff."""
        return self.kind is ActorKind.STAFF


SYSTEM = Actor(kind=ActorKind.SYSTEM, display_name="Doorstep")
PUBLIC = Actor(kind=ActorKind.PUBLIC, display_name="Someone using the website")


def can(actor: Actor, permission: Permission) -> bool:
    """Whether the actor may do it."""
    return actor.has(permission)


def who_may(permission: Permission) -> str:
    """Who does this here, in words: "a manager or the panel administrator". Empty where no role may."""
    names = [role.words for role in Role if permission in ROLE_PERMISSIONS[role]]
    if len(names) <= 1:
        return "".join(names)
    return ", ".join(names[:-1]) + " or " + names[-1]


def require(actor: Actor, permission: Permission) -> None:
    """Raise NotPermitted, saying who may, unless the actor may do it."""
    if not actor.has(permission):
        holders = who_may(permission)
        raise NotPermitted(
            f"This is for {holders} to do." if holders else "Nobody may do this.",
        )


class Sensitivity(StrEnum):
    """How closely a fact is held."""

    ORDINARY = "ordinary"
    PERSONAL = "personal"
    HEALTH = "health"
    OFFENCE = "offence"
    REFERENCE = "reference"
    SAFETY = "safety"


_CLOSE: frozenset[Sensitivity] = frozenset({Sensitivity.HEALTH, Sensitivity.OFFENCE, Sensitivity.REFERENCE})
_CASE_ROLES: frozenset[Role] = frozenset(Role) - {Role.ADMINISTRATOR}
# These read the story of a household only while it is before them.
_VISITING_ROLES: frozenset[Role] = frozenset({Role.PANEL_MEMBER, Role.DECISION_MAKER})


def may_see(
    actor: Actor,
    sensitivity: Sensitivity,
    *,
    subject_person_id: int | None,
    on_case: bool,
) -> bool:
    """Whether the actor may read one fact about one person (None: about the household as a whole).

    `on_case`: the actor has to do with this household: assigned to it, deciding on it, or on the panel that has it on
    its agenda; for an applicant, it is their own household. The caller knows.

    Details of one partner's record are not for the other (common practice, and the confidentiality that checks are
    given under), and a reference is given in confidence (Data Protection Act 2018, Sch 2 para 24).
    """
    if actor.kind is ActorKind.SYSTEM:
        return True
    if actor.kind is ActorKind.APPLICANT:
        return _applicant_may_see(actor, sensitivity, subject_person_id=subject_person_id, on_case=on_case)
    if actor.kind is not ActorKind.STAFF:
        return False
    roles = actor.roles & _CASE_ROLES
    if not roles:
        return False
    if Role.MANAGER in roles:
        return True
    if sensitivity in _CLOSE or roles <= _VISITING_ROLES:
        return on_case
    return True


def _applicant_may_see(actor: Actor, sensitivity: Sensitivity, *, subject_person_id: int | None, on_case: bool) -> bool:
    if not on_case or sensitivity in {Sensitivity.REFERENCE, Sensitivity.SAFETY}:
        return False
    if subject_person_id is None:
        return sensitivity in {Sensitivity.ORDINARY, Sensitivity.PERSONAL}
    return actor.person_id is not None and actor.person_id == subject_person_id
