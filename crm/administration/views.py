"""The blueprint of the administration screens, its front page, and the service's colours as a style file."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, make_response

from crm import policy
from crm.access.guards import current_actor, public_page, requires
from crm.clock import now_utc
from crm.delivery import queries as outbox
from crm.rules.permissions import Actor, Permission
from crm.web.filters import many
from crm.web.pages import render

bp = Blueprint("administration", __name__)

ANY_OF_IT = (
    Permission.MANAGE_SETTINGS,
    Permission.MANAGE_USERS,
    Permission.TRY_RULES,
    Permission.VIEW_AUDIT,
    Permission.VIEW_OUTBOX,
    Permission.RUN_CHECKS,
)
STUCK_AFTER_SECONDS = 30 * 60


@dataclass(frozen=True)
class Door:
    """One place of the administration: its name, where it is, what it is for, and who may open it."""

    label: str
    path: str
    words: str
    needs: Permission


DOORS: tuple[tuple[str, tuple[Door, ...]], ...] = (
    (
        "The service",
        (
            Door("Name and contact", "/admin/settings", "What people see and ring", Permission.MANAGE_SETTINGS),
            Door("Colours", "/admin/settings/look", "Checked to be readable", Permission.MANAGE_SETTINGS),
            Door("Areas", "/admin/settings/areas", "Who takes an enquiry, by postcode", Permission.MANAGE_SETTINGS),
            Door("Visits and hours", "/admin/settings/visits", "Lengths, notice, hours", Permission.MANAGE_SETTINGS),
            Door("Kinds of visit", "/admin/settings/visit-types", "What officers book", Permission.MANAGE_SETTINGS),
            Door("Travel", "/admin/settings/travel", "Speeds, and what a mile is paid", Permission.MANAGE_SETTINGS),
            Door("Websites", "/admin/settings/websites", "Keys for your own forms", Permission.MANAGE_SETTINGS),
        ),
    ),
    (
        "Rules and their dates",
        (
            Door("Promises", "/admin/settings/promises", "How soon we do what we say", Permission.MANAGE_SETTINGS),
            Door("Eligibility rules", "/admin/settings/eligibility", "What an answer means", Permission.TRY_RULES),
            Door(
                "Answering enquiries", "/admin/settings/response", "When a promise counts", Permission.MANAGE_SETTINGS
            ),
            Door("One-off holidays", "/admin/settings/holidays", "Days proclaimed since", Permission.MANAGE_SETTINGS),
            Door("Words of letters", "/admin/settings/letters", "Edit, preview, put back", Permission.MANAGE_SETTINGS),
            Door("Consent wording", "/admin/settings/wording", "The words people agree to", Permission.MANAGE_SETTINGS),
            Door("Assessments", "/admin/settings/assessment", "What we ask before signing", Permission.MANAGE_SETTINGS),
            Door("Panel", "/admin/settings/panel", "Whether the law asks for one", Permission.MANAGE_SETTINGS),
            Door("All rules", "/admin/rules", "Each with its source; what may come", Permission.TRY_RULES),
        ),
    ),
    (
        "People",
        (Door("People", "/admin/people", "Invite, roles, leaving", Permission.MANAGE_USERS),),
    ),
    (
        "Running it",
        (
            Door("Letters", "/admin/letters", "What waits, is held or failed", Permission.VIEW_OUTBOX),
            Door("Large files", "/enquiries/exports", "Exports to look at with somebody", Permission.APPROVE_EXPORT),
            Door("Jobs", "/admin/jobs", "What runs by itself", Permission.RUN_CHECKS),
            Door("Checks", "/admin/checks", "Is everything stored as it should be?", Permission.RUN_CHECKS),
            Door("Audit trail", "/admin/audit", "Who did what, and when", Permission.VIEW_AUDIT),
        ),
    ),
)


def doors_for(actor: Actor) -> list[tuple[str, list[Door]]]:
    """The places that this person may open, by group."""
    groups = [(title, [door for door in doors if actor.has(door.needs)]) for title, doors in DOORS]
    return [(title, doors) for title, doors in groups if doors]


@bp.get("/admin")
@requires(any_of=ANY_OF_IT)
def index() -> str:
    """What can be set and looked after, and what needs somebody now."""
    actor = current_actor()
    attention: list[tuple[str, str, str]] = []
    if actor.has(Permission.MANAGE_SETTINGS) and policy.service().fallback_owner_id is None:
        attention.append(
            ("Nobody is named to take an enquiry from outside every area.", "/admin/settings/areas", "Name someone")
        )
    if actor.has(Permission.VIEW_OUTBOX):
        counts = outbox.counts()
        if counts.held:
            held = f"{many(counts.held, 'letter')} {'is' if counts.held == 1 else 'are'} held."
            attention.append((held, "/admin/letters?show=held", "Look at them"))
        if counts.given_up:
            attention.append(
                (
                    f"{many(counts.given_up, 'letter')} could not be delivered.",
                    "/admin/letters?show=given_up",
                    "Look at them",
                )
            )
        waited = outbox.oldest_unsent_age(now=now_utc())
        if waited is not None and waited.total_seconds() > STUCK_AFTER_SECONDS:
            minutes = int(waited.total_seconds() // 60)
            attention.append((f"A letter has waited {minutes:,} minutes to go out.", "/admin/jobs", "See the worker"))
    return render("administration/index.html", here="admin", groups=doors_for(actor), attention=attention)


def darker(colour: str, share: float = 0.72) -> str:
    """The same colour, darker: for bars and for what is pressed."""
    parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(part * share):02x}" for part in parts)


@bp.get("/brand.css")
@public_page
def brand_css() -> Response:
    """The service's own colours, laid over the style file. Kept by browsers: its address changes with the colours."""
    service = policy.service()
    lines = (
        ":root {",
        f"  --ds-teal: {service.brand_colour};",
        f"  --ds-teal-deep: {darker(service.brand_colour)};",
        f"  --ds-link: {service.link_colour};",
        f"  --ds-accent: {service.accent_colour};",
        f"  --ds-accent-deep: {darker(service.accent_colour)};",
        "}",
    )
    response = make_response("\n".join(lines) + "\n")
    response.headers["Content-Type"] = "text/css; charset=utf-8"
    return response


# The pages: imported here so that whoever takes the blueprint has them all.
from crm.administration import (  # noqa: E402
    demo_views,  # noqa: F401
    eligibility_views,  # noqa: F401
    letters_views,  # noqa: F401
    people_views,  # noqa: F401
    reform_views,  # noqa: F401
    running_views,  # noqa: F401
    settings_views,  # noqa: F401
    website_views,  # noqa: F401
)
