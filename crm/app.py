"""The application: settings, database, the edge, the features and what is bound to what."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask
from flask.sessions import NullSession, SessionInterface
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.middleware.proxy_fix import ProxyFix

from crm import audit, delivery, reconcile, timetable
from crm.access import guards, leave, people
from crm.access.app_passwords import withdraw_for_leaver
from crm.assessments import referees, sessions
from crm.assessments.course_places import give_up_places
from crm.assessments.course_planning import hand_over_courses
from crm.calendars import handlers as calendar_handlers
from crm.calendars.busy_calendars import forget_calendars_of
from crm.calendars.caldav_writing import forget_for_leaver
from crm.calendars.feeds import end_for_leaver
from crm.calendars.unchanged import UnchangedFeeds
from crm.cases import home_visits, person_keys, replies
from crm.cases.assignment import hand_over_cases
from crm.cases.bounces import note_given_up
from crm.cases.effects import bind_effects
from crm.cases.letter_words import words_of_letter
from crm.cases.letters import may_it_leave
from crm.cases.tasks import hand_over_tasks
from crm.db import db, init_db
from crm.delivery import render as delivery_render
from crm.delivery import worker as delivery_worker
from crm.enquiries import mailings
from crm.events import answers as event_answers
from crm.jobs import runner
from crm.settings import Settings
from crm.visits import answers, for_assessment, from_calendar, mail_door
from crm.visits.booking import cancel_visits, hand_over_visits
from crm.visits.hours import keep_leave_free
from crm.web import assets, errors, forgery, headers, logs, notices, pages, row_numbers, uploads
from crm.web.writes import watch_for_forgotten_writes

# Every feature with screens, as module:blueprint.
BLUEPRINTS: tuple[str, ...] = (
    "crm.enquiries.public_views:bp",
    "crm.enquiries.staff_views:bp",
    "crm.enquiries.held_views:bp",
    "crm.enquiries.intake_views:bp",
    "crm.events.event_views:bp",
    "crm.events.kit_views:bp",
    "crm.events.public_views:bp",
    "crm.events.guest_views:bp",
    "crm.events.publishing_views:bp",
    "crm.events.cost_views:bp",
    "crm.events.campaign_views:bp",
    "crm.events.import_views:bp",
    "crm.access.views:bp",
    "crm.health:bp",
    "crm.staff.views:bp",
    "crm.portal.contact_views:bp",
    "crm.portal.visit_views:bp",
    "crm.portal.referee_views:bp",
    "crm.portal.sign_in_views:bp",
    "crm.portal.home_views:bp",
    "crm.portal.document_views:bp",
    "crm.portal.household_views:bp",
    "crm.administration.views:bp",
    "crm.assessments.views:assessments",
    "crm.assessments.views:panel",
    "crm.visits.staff_views:bp",
    "crm.visits.diary_views:bp",
    "crm.visits.offer_views:bp",
    "crm.visits.calendar_views:bp",
    "crm.visits.answer_views:bp",
    "crm.visits.day_views:bp",
    "crm.visits.phone_views:bp",
    "crm.reporting.report_views:bp",
    "crm.reporting.return_views:bp",
    "crm.calendars.calendar_views:bp",
    "crm.calendars.caldav_views:bp",
)

ONE_MEGABYTE = 1024 * 1024
LARGEST_FORM_BYTES = 2 * ONE_MEGABYTE
LARGEST_TEXT_BYTES = ONE_MEGABYTE
MOST_FORM_PARTS = 1000


def _to_whom_takes_over(hand_over: Callable[..., Any]) -> Callable[..., None]:
    """Where nobody takes over (somebody of the panel leaves), there is nothing of this kind to hand on."""

    def inside(*, to_user_id: int | None, **rest: Any) -> None:
        if to_user_id is not None:
            hand_over(to_user_id=to_user_id, **rest)

    return inside


def _tasks(*, from_user_id: int, to_user_id: int, **_rest: Any) -> None:
    hand_over_tasks(from_user_id=from_user_id, to_user_id=to_user_id)


# What happens to the work of somebody who leaves.
ON_LEAVING: tuple[Callable[..., None], ...] = (
    _to_whom_takes_over(hand_over_cases),
    _to_whom_takes_over(_tasks),
    _to_whom_takes_over(hand_over_visits),
    _to_whom_takes_over(hand_over_courses),
    end_for_leaver,
    forget_calendars_of,
    withdraw_for_leaver,
    forget_for_leaver,
)

# What else hears of leave.
ON_LEAVE: tuple[Callable[..., None], ...] = (keep_leave_free,)

# What a move of a case sets going in a feature, by the name that the table of moves gives it.
EFFECTS: dict[str, Callable[..., None]] = {
    "cancel_visits": cancel_visits,
    "give_up_course_places": give_up_places,
}

# What a write of an officer's own calendar program sets going, by the name that calendars give it.
FROM_CALENDARS: dict[str, Callable[..., Any]] = {
    "hold_visit": from_calendar.hold_visit,
    "write_visit": from_calendar.write_visit,
    "take_visit_out": from_calendar.take_visit_out,
}

# What an assessment asks of visits, by name, and what a visit that was made sets going there, by its purpose.
OF_VISITS: dict[str, Callable[..., Any]] = {
    "visits_known": for_assessment.visits_known,
    "home_checks": for_assessment.home_checks,
}
WHEN_HELD: dict[str, Callable[..., None]] = {
    "stage_two_session": sessions.note_visit_held,
}


class Doorstep(Flask):
    """The application. Every view and hook is a plain function, which Flask would otherwise look into on each call."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


class NoFlaskSession(SessionInterface):
    """Flask's own session is a cookie that stays good after signing out, so there is none: using it is an error."""

    def open_session(self, app: Flask, request: object) -> NullSession:
        return NullSession()

    def is_null_session(self, obj: object) -> bool:
        return isinstance(obj, NullSession)

    def save_session(self, app: Flask, session: object, response: object) -> None:
        return


def template_folder() -> Path:
    """Inside the package when installed from a wheel, beside it in a clone."""
    inside = Path(__file__).with_name("templates")
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"


def bind_process(settings: Settings) -> None:
    """What stands outside the application, once a process: the log, the keys, the post room, what is bound to what."""
    logs.set_up()
    audit.use_key(settings.secret_key)
    delivery.configure(settings)
    people.ON_LEAVING[:] = ON_LEAVING
    leave.ON_LEAVE[:] = ON_LEAVE
    bind_effects(EFFECTS)
    calendar_handlers.bind(FROM_CALENDARS)
    home_visits.bind(OF_VISITS, WHEN_HELD)
    person_keys.keep_up_to_date()
    replies.CALENDARS["answers_to_visits"] = answers.take_answer
    replies.CALENDARS["events_of_officers"] = mail_door.take_appointment
    replies.CALENDARS["answers_to_events"] = event_answers.take_answer
    replies.CALENDARS["answers_to_nothing"] = answers.lay_aside
    delivery_worker.ON_GIVEN_UP["letter_given_up"] = note_given_up
    delivery_render.WORDS_IN_FORCE["words_of_letter"] = words_of_letter
    delivery_worker.MAY_IT_LEAVE["rules_of_the_person"] = may_it_leave
    delivery_worker.MAY_IT_LEAVE["its_mailing"] = mailings.may_it_leave
    delivery_worker.MAY_IT_LEAVE["its_referee"] = referees.may_it_leave


def screens() -> list[Blueprint]:
    """The screens of every feature, loaded now."""
    found = []
    for name in BLUEPRINTS:
        module, _, attribute = name.partition(":")
        found.append(getattr(import_module(module), attribute))
    return found


def create_app(settings: Settings | None = None, *, with_screens: bool = True) -> Flask:
    """The product, ready to serve. Raises UnsafeSettings when the environment asks for something that must not run.

    A command or a worker shows no page, and does without the screens.
    """
    settings = settings or Settings.from_environ()
    app = Doorstep("crm", static_folder=str(Path(__file__).with_name("static")), template_folder=None)
    app.jinja_loader = ChoiceLoader([FileSystemLoader(template_folder())])
    app.extensions["crm_settings"] = settings
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=LARGEST_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=LARGEST_TEXT_BYTES,
        MAX_FORM_PARTS=MOST_FORM_PARTS,
        TRUSTED_HOSTS=list(settings.trusted_hosts) or None,
        TEMPLATES_AUTO_RELOAD=settings.env == "development",
    )
    app.session_interface = NoFlaskSession()
    if settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=settings.proxies
        )
    bind_process(settings)
    init_db(app, settings)
    watch_for_forgotten_writes()

    # The order matters: who asks, then whether the form is ours. What follows a view runs the other way round.
    row_numbers.init_app(app)
    pages.init_app(app)
    assets.init_app(app)
    errors.init_app(app)
    headers.init_app(app)
    uploads.init_app(app)
    guards.init_app(app)
    forgery.init_app(app)
    notices.init_app(app)
    with app.app_context():
        app.wsgi_app = UnchangedFeeds(app.wsgi_app, db.engine)  # type: ignore[method-assign]
    app.extensions[runner.EXTENSION] = timetable.TIMETABLE
    app.extensions["crm_check"] = reconcile.find_faults
    for blueprint in screens() if with_screens else ():
        app.register_blueprint(blueprint)
    return app
