"""Finding every page and every form of the product on the estate, as people find them: by opening pages."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import flask

from tests.conftest import PageClient, PageResponse
from tests.databases import run_folder
from tests.page import Form, Page
from tests.walks.estate import Estate
from tests.walks.undoing import undoing

PAGES = """
stranger /enquire/postcode
stranger /enquire/spare-room
stranger /enquire/second-adult
stranger /enquire/smoking
stranger /enquire/changes
stranger /enquire/name
stranger /enquire/age
stranger /enquire/fostering-now
stranger /enquire/right-to-work
stranger /enquire/where-you-stand
stranger /enquire/contact
stranger /enquire/safe-contact
stranger /enquire/not-then
stranger /enquire/heard
stranger /enquire/news
stranger /enquire/check
stranger /enquire/later
stranger /enquire/return/{secret.come_back}
stranger /events/{event_slug}
stranger /events/my-place/{secret.place}
stranger /events/my-place/{secret.place_given_up}
stranger /visit/{secret.visit}/confirm?at={time_on_offer}
stranger /visit/{secret.visit}/cancel
stranger /visit/{secret.visit}/other-times
stranger /reference/{secret.reference}
stranger /reference/{secret.reference_begun}/knowing
stranger /reference/{secret.reference_begun}/person
stranger /reference/{secret.reference_begun}/children
stranger /reference/{secret.reference_begun}/home
stranger /reference/{secret.reference_begun}/hard
stranger /reference/{secret.reference_begun}/support
stranger /reference/{secret.reference_begun}/worry
stranger /reference/{secret.reference_begun}/more
stranger /reference/{secret.reference_begun}/sharing
stranger /reference/{secret.reference_begun}/check
stranger /sign-in
stranger /my/sign-in
stranger /my/sign-in/handed
stranger /my/sign-in/code/{secret.sign_in_code}
stranger /forgotten-password
stranger /reset-password/{secret.reset}
stranger /invitation/{secret.invitation}
officer /account
officer /account/leave
manager /team/{colleague}
officer /account/calendar
manager /account/calendar
officer /account/hours
officer /account/busy-calendars
officer /visits/mileage
officer /visits/{visit_held.visit_id}/travel
officer /visits/from-calendar
recruiter /enquiries/new
recruiter /enquiries/export
recruiter /enquiries/views?view=over
recruiter /enquiries/exports/{export_id}
manager /enquiries/exports/{large_export_id}
recruiter /enquiries/mailings/new?sort=news&by=email
recruiter /enquiries/mailings/{mailing_id}
recruiter /enquiries/mailings/{mailing_id}/words
manager /enquiries/mailings/{waiting_mailing_id}
recruiter /enquiries/mailings/{moving_mailing_id}
recruiter /enquiries/held/{held_id}
recruiter /cases/{new}/contact
recruiter /cases/{contacted}/screening
recruiter /cases/{contacted}/not-now
recruiter /cases/{contacted}/close
recruiter /cases/{closed}/reopen
manager /enquiries
officer /enquiries/not-now?part=later
manager /cases/{unanswered}/close
recruiter /events/new
recruiter /events/{draft_event_id}
recruiter /events/{event_id}/edit
recruiter /events/{event_id}/cancel
recruiter /events/{event_id}/copy
recruiter /events/{open_event_id}/guests
recruiter /events/{open_event_id}/guests?show=all
recruiter /events/{open_event_id}/guests/new
recruiter /events/{open_event_id}/sign-ups/{waiting_sign_up_id}
recruiter /events/{event_id}/cost
recruiter /reports/journey
manager /reports/journey?by=activity
manager /reports/responses
manager /reports/checks
recruiter /reports/journey/keep
recruiter /reports/saved
manager /reports/need
manager /needs
manager /needs/{need_id}
recruiter /campaigns/new
recruiter /campaigns/{campaign_id}/edit
recruiter /events/{event_id}/log
recruiter /events/{event_id}/import
recruiter /events/{event_id}/import/{upload_id}
recruiter /events/{event_id}/import/{upload_id}/columns
recruiter /events/{event_id}/import/{loading_upload_id}
recruiter /events/{event_id}/import/{loaded_upload_id}
recruiter /events/{event_id}/import/{loaded_upload_id}/undo
recruiter /events/{event_id}/kit
recruiter /events/{event_id}/kit/device
recruiter /events/{event_id}/kit/file
recruiter /events/{event_id}/kit/aside/{aside_id}
recruiter /events/{closed_event_id}/kit
officer /my-day
officer /cases/{new}
officer /cases/{new}/facts
officer /cases/{new}/people/new
officer /cases/{new}/people/{new.person_id}
officer /cases/{new}/people/{new.person_id}/reach
officer /cases/{new}/people/{new.person_id}/names
officer /cases/{new}/address
officer /cases/{new}/tasks/new
manager /cases/{new}
manager /cases/{new}/owner
manager /cases/{new}/correct
recruiter /cases/{twin}/compare/{other_twin}/check
recruiter /cases/{twin}/people/{twin.person_id}/same-as?other={twin_again_id}
recruiter /cases/{twin}/people/{twin.person_id}/move?to={other_twin}
recruiter /enquiries/look-alikes?view=shared
recruiter /enquiries/look-alikes?view=not_same
recruiter /messages/{message_id}
recruiter /messages
officer /cases/{contacted}/people/{contacted.person_id}/names
recruiter /merges/{asked_merge_id}
manager /merges/{asked_merge_id}
recruiter /merges/{made_merge_id}
officer /cases/{by_post}/letters/{by_post.letter_id}
officer /cases/{contacted}/visits/new
officer /cases/{contacted}/visits
officer /cases/{contacted}/visits/offer
officer /cases/{contacted}/visits/made
officer /visits/{visit_ahead.visit_id}
officer /visits/{visit_ahead.visit_id}/move
officer /visits/{visit_ahead.visit_id}/cancel
officer /visits/{visit_today.visit_id}/no-access
officer /visits/{visit_held.visit_id}
officer /visits/{visit_today.visit_id}/day
manager /visits/{visit_today.visit_id}/watch
officer /cases/{contacted}/home-notes
officer /visits/{visit_today.visit_id}/report
officer /visits/{visit_held.visit_id}/report?part=1
officer /visits/{visit_held.visit_id}/report?part=2
officer /visits/{visit_held.visit_id}/report?part=3
officer /visits/{visit_held.visit_id}/report?part=4
officer /visits/{visit_held.visit_id}/report?part=5
officer /visits/{visit_held.visit_id}/report?part=6
officer /visits/{visit_held.visit_id}/report?part=7
officer /visits/{visit_held.visit_id}/report?part=8
manager /visits/{visit_written.visit_id}/sign-off
officer /cases/{invited}/application/new
officer /cases/{invited}/application
applicant /my
applicant /my/list
applicant /my/part/about
applicant /my/part/lived
applicant /my/part/health
applicant /my/part/record
applicant /my/part/home
applicant /my/part/people
applicant /my/part/referees
applicant /my/documents/home
applicant /my/documents/other-{applicant_id}
applicant /my/message
partner /my/sign
manager /caseload/missed
manager /reports/return/2025/freeze
manager /reports/return/2024/frozen
manager /reports/return/2024/thaw
manager /cases/{stage_one_done}/clocks/{stage_one_done.clock_id}/reason
manager /cases/{listed_today}/clocks/{listed_today.clock_id}/reason
officer /cases/{gathering}/documents
officer /cases/{gathering}/documents/{gathering.document_key}
officer /cases/{gathering}/documents/other-{gathering.adult_id}
manager /cases/{applied}/assessment/decide-to-assess
officer /cases/{gathering}/assessment/household
officer /cases/{gathering}/assessment/household/{gathering.adult_id}/left
officer /cases/{gathering}/assessment/transfer
officer /cases/{gathering}/assessment/withdraw
officer /cases/{gathering}/checks/{gathering.check_id}
officer /cases/{gathering}/checks/{gathering.dbs_id}
officer /cases/{gathering}/checks/{gathering.place_id}/referee
officer /cases/{gathering}/referees/{gathering.asked_id}
manager /cases/{other_gathering}/referees/{other_gathering.referee_id}
officer /cases/{gathering}/referees/{gathering.referee_id}
officer /cases/{gathering}/referees/{gathering.asked_id}/change
officer /cases/{gathering}/referees/{gathering.asked_id}/out
officer /cases/{gathering}/referees/{gathering.referee_id}/interview
officer /cases/{gathering}/referees/{gathering.asked_id}/interview
officer /cases/{gathering}/referees/{gathering.referee_id}/account
manager /cases/{stage_one_done}/assessment/stage-one
manager /cases/{gathering}/assessment/stage-two
officer /cases/{writing}/assessment/report
manager /cases/{written}/assessment/report
officer /cases/{writing}/assessment/sessions
officer /cases/{writing}/assessment/sessions/new
officer /cases/{written}/assessment/sessions/{written.session_id}
officer /cases/{written}/assessment/sessions/{written.planned_id}/plan
officer /cases/{written}/assessment/report/evidence/personality
manager /cases/{writing}/assessment/midway
manager /cases/{writing}/assessment/second-opinion
officer /cases/{to_share}/assessment/share
officer /cases/{shared}/assessment/observations
officer /cases/{observed}/assessment/ready
manager /courses/new
manager /courses/{course_ahead_id}/edit
manager /courses/{course_ahead_id}/copy
manager /courses/{course_ahead_id}/cancel
officer /courses/{course_id}
officer /courses/{course_id}/sessions/{course_session_id}
officer /courses/{course_id}/notes/{listed}
officer /cases/{writing}/assessment/preparation
officer /cases/{listed}/assessment/preparation/{course_ahead_id}/off
panel_administrator /cases/{ready}/panel
panel_administrator /panel/new
panel_administrator /panel/central-list
panel_administrator /panel/{listed_today.meeting_id}
panel_administrator /panel/{listed.meeting_id}
panel_administrator /cases/{listed_today}/panel/defer
panel_administrator /cases/{recommended}/panel/minutes
panel_administrator /cases/{to_decide}/panel/minutes
chair /panel/minutes/{to_decide.item_id}
decision_maker /cases/{to_decide}/decision
decision_maker /cases/{approved}/notices
decision_maker /cases/{approved_by_post}/notices
officer /cases/{proposed_no}/answer
panel_administrator /cases/{at_irm}/answer
administrator /admin/audit
administrator /admin/checks
administrator /admin/letters
administrator /admin/letters?show=given_up
administrator /admin/people/{colleague}
administrator /admin/people/{invited_colleague}
administrator /admin/people/{switched_off}
administrator /admin/people/invite
administrator /admin/settings
administrator /admin/settings/look
administrator /admin/settings/assessment
administrator /admin/settings/visits
administrator /admin/settings/travel
administrator /admin/settings/visit-types/new
administrator /admin/settings/visit-types/1
administrator /admin/settings/websites
administrator /admin/settings/areas
administrator /admin/settings/areas/new
administrator /admin/settings/areas/1
administrator /admin/settings/promises/first_contact
administrator /admin/settings/response
administrator /admin/settings/holidays
administrator /admin/settings/wording/consent.email
administrator /admin/settings/panel
administrator /admin/settings/letters/information_pack
administrator /admin/settings/letters/information_pack/restore
administrator /admin/settings/eligibility/age
administrator /admin/settings/eligibility/spare_room
administrator /admin/settings/eligibility/new
administrator /admin/settings/eligibility/driving/trial/{rule_version}
"""
"""Where each form of the product stands on the estate, and who may send it. A form that is on none of these pages fails
the walks: put it here."""
IDS = re.compile(r"_\d+")


COOKIES = ("staff", "applicant", "form", "enquiry")


@dataclass
class Walker:
    """People at their browsers, each signed in once."""

    app: flask.Flask
    estate: Estate
    clients: dict[str, PageClient] = field(default_factory=dict)
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def member(self, key: str) -> PageClient:
        """Their browser, with the cookies it had at first: what an answer changed about those is undone too."""
        if key not in self.clients:
            client = self.app.test_client()
            assert isinstance(client, PageClient)
            client.inspects = False  # every page is inspected where it is the subject of a test
            client.sign_in(self.estate.members[key])
            client.get("/sign-in")
            if key == "stranger":
                fill_in_public_form(client)
            self.clients[key] = client
            found = {name: client.get_cookie(name) for name in COOKIES}
            self.cookies[key] = {name: cookie.value for name, cookie in found.items() if cookie is not None}
        client = self.clients[key]
        for name in COOKIES:
            client.delete_cookie(name)
        for name, value in self.cookies[key].items():
            client.set_cookie(name, value)
        return client


def fill_in_public_form(client: PageClient) -> None:
    """Up to the page that has the button, so that every page of the form is open."""
    for step, answers in (
        ("postcode", {"postcode": "BR1 3KO"}),
        ("spare-room", {"spare_room": "yes"}),
        ("age", {"born_on-day": "3", "born_on-month": "4", "born_on-year": "1985"}),
        ("right-to-work", {"right_to_live": "yes"}),
        ("name", {"given_name": "Ada", "family_name": "Quill"}),
        ("contact", {"email": "ada@example.org", "contact_times": "any"}),
    ):
        page = client.get(f"/enquire/{step}").page
        answer = client.submit(page, to=f"/enquire/{step}" if any(f.action for f in page.forms) else None, **answers)
        assert answer.status_code == 303, (step, answer.page.errors)


@dataclass(frozen=True)
class Found:
    """A form that stands on a page: who sees it there, and where it leads."""

    member: str
    path: str
    action: str
    endpoint: str
    names: tuple[str, ...]
    buttons: tuple[str, ...]

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        return self.endpoint, self.names

    def __str__(self) -> str:
        return f"{self.endpoint} {self.buttons} on {self.path} as {self.member}"

    def on(self, page: Page) -> Form:
        """The same form on a page drawn anew."""
        for form in page.forms:
            if form.method == "POST" and (form.action or page.address) == self.action and names_of(form) == self.names:
                return form
        raise AssertionError(f"the form is not on the page any more: {self}")


def names_of(form: Form) -> tuple[str, ...]:
    """What a form asks, whoever it asks it about: the ids of people in the names of boxes are left out."""
    return tuple(sorted({IDS.sub("_#", name) for name in form.names}))


def filled_in(path: str, estate: Estate) -> str:
    """An address of PAGES on this estate."""
    known: dict[str, Any] = {f"secret.{name}": secret for name, secret in estate.secrets.items()}
    known |= estate.things
    for key, home in estate.homes.items():
        known |= {key: home.reference, **{f"{key}.{name}": value for name, value in home.values.items()}}
    return re.sub(r"\{([\w.]+)\}", lambda found: str(known[found[1]]), path)


NO_FORM_LEADS_THERE = {
    "administration.preview_letter_wording": "a second button of the form of administration.letter_wording",
    "administration.print_letter_wording": "a third button of the form of administration.letter_wording",
    "visit_phone.make_ready": "a script of visit_day.day and of visits.record_report, which makes the phone ready",
    "enquire.keep_typed": "a script sends there what stands on a page of enquire.step, while somebody is still at it",
}
"""Endpoints that take a POST from no form of a page, and who sends it."""


def posts(app: flask.Flask) -> set[str]:
    """Every endpoint that takes a form. What takes no cookie is sent by a program, and stands on no page."""
    taking = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and not getattr(app.view_functions[rule.endpoint], "without_form_token", "")
    }
    return taking - NO_FORM_LEADS_THERE.keys()


def forms(walker: Walker) -> list[Found]:
    """One of each form of the product, with somebody who may send it. Raises AssertionError where one is not found.

    They are looked for once in a run, which leaves nothing on the estate. Everybody is signed in first, in one order:
    a session's number stands in some addresses, and PostgreSQL gives none a second time.
    """
    for member in dict.fromkeys(line.partition(" ")[0] for line in PAGES.split("\n") if line):
        walker.member(member)
    kept = run_folder() / "forms-of-the-estate"
    if not kept.exists():
        with undoing(walker.app):
            found = find_forms(walker)
        draft = kept.with_suffix(f".{os.getpid()}")
        draft.write_bytes(pickle.dumps(found))
        draft.rename(kept)
    found: list[Found] = pickle.loads(kept.read_bytes())
    return found


def find_forms(walker: Walker) -> list[Found]:
    found: dict[tuple[str, tuple[str, ...]], Found] = {}
    for line in PAGES.split("\n"):
        if line:
            member, _, path = line.partition(" ")
            answer = walker.member(member).get(filled_in(path, walker.estate))
            assert answer.status_code == 200, f"{line}: {answer.status_code}"
            for one in forms_on(walker.app, member, answer):
                found.setdefault(one.key, one)
    missing = posts(walker.app) - {one.endpoint for one in found.values()}
    assert not missing, f"no page in {__name__}.PAGES has the form of {sorted(missing)}"
    return list(found.values())


def forms_on(app: flask.Flask, member: str, answer: PageResponse) -> Iterator[Found]:
    for form in answer.page.forms:
        if form.method != "POST":
            continue
        action = form.action or answer.page.address
        endpoint, _ = app.url_map.bind("localhost").match(action.partition("?")[0], method="POST")
        buttons = tuple(button.text or button.get("value") for button in form.buttons)
        yield Found(member, answer.page.address, action, endpoint, names_of(form), buttons)
