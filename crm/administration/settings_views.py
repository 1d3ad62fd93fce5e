"""The settings of the service: every change counts from a day, and what counted before stays readable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Response, make_response, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.access.queries import staff_with_role
from crm.administration.settings_forms import (
    AreaForm,
    AssessmentForm,
    FallbackForm,
    HolidayForm,
    LookForm,
    PanelForm,
    PromiseForm,
    ServiceForm,
    TravelForm,
    VisitsForm,
    VisitTypeForm,
    WordingForm,
    response_form,
)
from crm.administration.views import bp
from crm.cases.models import CHANNEL_WORDS, Channel
from crm.clock import LONDON, now_utc, today_in_london
from crm.db import db
from crm.policy import changing, defaults, reading
from crm.policy.models import OneOffHoliday, PolicyKind
from crm.rules.deadlines import PROMISES, Unit, length_words
from crm.rules.panel import PANEL_EDITIONS
from crm.rules.permissions import Permission, Role
from crm.rules.refusal import Refusal
from crm.rules.response import ANY_HOUR, clock_words
from crm.visits.districts import known_districts
from crm.visits.models import PLACE_WORDS, PURPOSE_WORDS
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

OWNING = (Role.RECRUITER, Role.OFFICER, Role.MANAGER)
WORDING_NAMES = {
    "consent.email": "Consent to emails",
    "consent.text": "Consent to texts",
    "consent.phone": "Consent to calls",
    "consent.post": "Consent to post",
    "privacy_notice": "Privacy notice",
    "application.declaration": "Declaration of an applicant",
    "application.checks": "Agreement to the checks",
}
TRAVEL = (
    *("winding_percent", "car_near_kmh", "car_far_kmh", "car_fixed_minutes"),
    *("transit_near_kmh", "transit_far_kmh", "transit_fixed_minutes", "mileage_pence"),
)
UNIT_WORDS = {Unit.WORKING_DAYS: "working days", Unit.CALENDAR_DAYS: "days", Unit.CALENDAR_MONTHS: "months"}


class NoSuchSetting(Refusal):
    """There is nothing of that name to set."""

    default_status = 404


def _page(template: str, form: BaseForm, **context: Any) -> Response:
    return make_response(render(f"administration/{template}", here="admin", form=form, **context), form.status)


def _seen(form: BaseForm) -> int | None:
    return int(form.seen.data) if form.seen.data and form.seen.data.isdigit() else None


def _change_all(form: BaseForm, values: Mapping[str, Any]) -> bool:
    """Write the settings that differ. False when one was refused: the form then says which."""
    now_are = policy.service()
    seen = _seen(form)
    changed = 0
    for name, value in values.items():
        if getattr(now_are, name) == value:
            continue
        try:
            changing.change_setting(
                name=name, value=value, actor=current_actor(), now=now_utc(), today=today_in_london(), seen=seen
            )
        except changing.PolicyNotChanged as refusal:
            form.take_refusal(refusal)
            return False
        seen, changed = None, changed + 1
    tell("Kept. Everybody sees it from now." if changed else "Nothing was different, so nothing was changed.")
    return True


@bp.route("/admin/settings", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def settings() -> Response:
    """Name, phone, address: what people see and ring."""
    service = policy.service()
    fields = (
        *("name", "short_name", "mark", "kind", "phone", "email"),
        *("website", "address", "hours", "area", "complaints"),
    )
    form = ServiceForm(seen=str(policy.policy_version()), **{name: getattr(service, name) for name in fields})
    if form.is_sent_and_right() and _change_all(form, {name: form[name].data for name in fields}):
        return see_other(url_for("administration.settings"))
    return _page("service.html", form)


@bp.route("/admin/settings/look", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def look() -> Response:
    """The colours. One that white words can't be read on is refused."""
    service = policy.service()
    fields = ("brand_colour", "link_colour", "accent_colour")
    form = LookForm(seen=str(policy.policy_version()), **{name: getattr(service, name) for name in fields})
    if form.is_sent_and_right() and _change_all(form, {name: form[name].data.lower() for name in fields}):
        return see_other(url_for("administration.look"))
    contrasts = {name: changing.contrast_with_white(getattr(service, name)) for name in fields}
    return _page("look.html", form, contrasts=contrasts, defaults=defaults.SETTINGS)


@bp.route("/admin/settings/assessment", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def assessment() -> Response:
    """What the service asks for before a full report is countersigned, which no regulation does."""
    service = policy.service()
    fields = ("asks_midway", "asks_second_opinion")
    form = AssessmentForm(seen=str(policy.policy_version()), **{name: getattr(service, name) for name in fields})
    if form.is_sent_and_right() and _change_all(form, {name: form[name].data for name in fields}):
        return see_other(url_for("administration.assessment"))
    return _page("assessment.html", form)


@bp.route("/admin/settings/visits", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def visit_settings() -> Response:
    """How long visits take, and when people may be visited, rung and texted."""
    service = policy.service()
    numbers = (
        *("visit_minutes", "travel_minutes", "visits_per_day", "notice_hours", "hold_hours"),
        *("link_days", "chase_days", "change_hours"),
        *("late_in_minutes", "buddy_after_minutes", "manager_after_minutes"),
    )
    times = ("working_from", "working_until", "safe_from", "safe_until")
    form = VisitsForm(
        seen=str(policy.policy_version()),
        **{name: getattr(service, name) for name in numbers},
        **{name: _time(getattr(service, f"{name}_minutes")) for name in times},
    )
    if form.is_sent_and_right():
        if form.working_from.data >= form.working_until.data:
            form.working_until.errors = ["This is before visits may begin"]
        elif form.safe_from.data >= form.safe_until.data:
            form.safe_until.errors = ["This is before the time in the box above"]
        elif form.manager_after_minutes.data <= form.buddy_after_minutes.data:
            form.manager_after_minutes.errors = ["Write more minutes than for the buddy, who is told first"]
        else:
            values = {name: form[name].data for name in numbers}
            values |= {f"{name}_minutes": _minutes(form[name].data) for name in times}
            if _change_all(form, values):
                return see_other(url_for("administration.visit_settings"))
    return _page("visits.html", form)


@bp.route("/admin/settings/travel", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def travel_settings() -> Response:
    """What is assumed of travel, and what a mile is paid."""
    service = policy.service()
    form = TravelForm(seen=str(policy.policy_version()), **{name: getattr(service, name) for name in TRAVEL})
    if form.is_sent_and_right() and _change_all(form, {name: form[name].data for name in TRAVEL}):
        return see_other(url_for("administration.travel_settings"))
    return _page("travel.html", form, districts=known_districts())


# --- Kinds of visit ---------------------------------------------------------------------------------------------------


@bp.get("/admin/settings/visit-types")
@requires(Permission.MANAGE_SETTINGS)
def visit_types() -> str:
    """The kinds of visit that the service makes."""
    return render(
        "administration/visit_types.html",
        here="admin",
        types=policy.service().visit_types,
        purposes=PURPOSE_WORDS,
        place_words=PLACE_WORDS,
    )


@bp.route("/admin/settings/visit-types/new", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def new_visit_type() -> Response:
    """Add a kind of visit."""
    return _visit_type(None)


@bp.route("/admin/settings/visit-types/<int:number>", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def visit_type(number: int) -> Response:
    """One kind of visit. Visits that are booked stay as they are."""
    return _visit_type(number)


def _visit_type(number: int | None) -> Response:
    types = policy.service().visit_types
    if number is not None and not 1 <= number <= len(types):
        raise NoSuchSetting("There is no such kind of visit. It may have been taken away.")
    present = asdict(types[number - 1]) if number else {}
    form = VisitTypeForm(
        seen=str(policy.policy_version()), **{**present, "officers": str(present["officers"])} if present else {}
    )
    if form.is_sent_and_right():
        rows = [asdict(one) for one in types]
        row = {name: form[name].data for name in ("name", "purpose", "minutes", "place")}
        row["officers"] = int(form.officers.data)
        if number:
            rows[number - 1] = row
        else:
            rows.append(row)
        if _change_all(form, {"visit_types": rows}):
            return see_other(url_for("administration.visit_types"))
    return _page("visit_type.html", form, number=number, can_remove=number is not None and len(types) > 1)


@bp.post("/admin/settings/visit-types/<int:number>/remove")
@requires(Permission.MANAGE_SETTINGS)
@writes
def remove_visit_type(number: int) -> Response:
    """Take a kind of visit away. Visits that were booked as one stay."""
    types = policy.service().visit_types
    if not 1 <= number <= len(types):
        raise NoSuchSetting("There is no such kind of visit. It may have been taken away.")
    gone = types[number - 1]
    changing.change_setting(
        name="visit_types",
        value=[asdict(one) for one in types if one is not gone],
        actor=current_actor(),
        now=now_utc(),
        today=today_in_london(),
    )
    tell(f"{gone.name} is taken away. Visits that are booked stay.")
    return see_other(url_for("administration.visit_types"))


def _time(minutes: int) -> time:
    return time(min(minutes // 60, 23), minutes % 60 if minutes < 1440 else 59)


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


# --- Areas ------------------------------------------------------------------------------------------------------------


def _owners() -> list[tuple[int, str]]:
    return [(user.id, user.name) for user in staff_with_role(*OWNING)]


@bp.route("/admin/settings/areas", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def areas() -> Response:
    """Who takes an enquiry, by its postcode district; and who takes it where there is no such area."""
    service = policy.service()
    form = FallbackForm(owner=service.fallback_owner_id or 0, seen=str(policy.policy_version()))
    owners = _owners()
    form.owner.choices = [(0, "Nobody yet"), *owners]
    if form.is_sent_and_right():
        if not form.owner.data:
            form.owner.errors = ["Choose somebody, so that a form sent at midnight has an owner"]
        elif _change_all(form, {"fallback_owner_id": form.owner.data}):
            return see_other(url_for("administration.areas"))
    return _page("areas.html", form, areas=service.areas, names=dict(owners), fallback=service.fallback_owner_id)


@bp.route("/admin/settings/areas/new", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def new_area() -> Response:
    """Add an area."""
    return _area(None)


@bp.route("/admin/settings/areas/<int:number>", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def area(number: int) -> Response:
    """One area: its name, its postcode districts, and who take its enquiries in turn."""
    return _area(number)


def _area(number: int | None) -> Response:
    service = policy.service()
    if number is not None and not 1 <= number <= len(service.areas):
        raise NoSuchSetting("There is no such area. It may have been taken away.")
    present = service.areas[number - 1] if number else None
    form = AreaForm(
        name=present.name if present else "",
        districts=" ".join(present.districts) if present else "",
        owners=list(present.owner_ids) if present else [],
        seen=str(policy.policy_version()),
    )
    form.owners.choices = _owners()
    if form.is_sent_and_right():
        rows = [
            {"name": one.name, "districts": list(one.districts), "owner_ids": list(one.owner_ids)}
            for one in service.areas
        ]
        row = {
            "name": form.name.data,
            "districts": form.districts.data.replace(",", " ").split(),
            "owner_ids": form.owners.data or [],
        }
        if number:
            rows[number - 1] = row
        else:
            rows.append(row)
        if _write_areas(form, rows):
            tell(f"{form.name.data} is kept. New enquiries go by it from now.")
            return see_other(url_for("administration.areas"))
    return _page("area.html", form, number=number, can_remove=number is not None and len(service.areas) > 1)


@bp.post("/admin/settings/areas/<int:number>/remove")
@requires(Permission.MANAGE_SETTINGS)
@writes
def remove_area(number: int) -> Response:
    """Take an area away. Its enquiries go to whoever takes the rest from now on."""
    service = policy.service()
    if not 1 <= number <= len(service.areas):
        raise NoSuchSetting("There is no such area. It may have been taken away.")
    gone = service.areas[number - 1]
    rows = [
        {"name": one.name, "districts": list(one.districts), "owner_ids": list(one.owner_ids)}
        for one in service.areas
        if one is not gone
    ]
    changing.change_setting(name="areas", value=rows, actor=current_actor(), now=now_utc(), today=today_in_london())
    tell(f"{gone.name} is taken away. Enquiries from there go to whoever takes the rest.")
    return see_other(url_for("administration.areas"))


def _write_areas(form: BaseForm, rows: list[dict[str, Any]]) -> bool:
    try:
        changing.change_setting(
            name="areas",
            value=rows,
            actor=current_actor(),
            now=now_utc(),
            today=today_in_london(),
            seen=_seen(form),
        )
    except changing.PolicyNotChanged as refusal:
        form["districts"].errors = [refusal.message]
        return False
    return True


# --- Promises ---------------------------------------------------------------------------------------------------------


@bp.get("/admin/settings/promises")
@requires(Permission.MANAGE_SETTINGS)
def promises() -> str:
    """How soon the service says it does things. What the law sets is not here."""
    rulebook = policy.rulebook_on(today_in_london())
    rows = [(rulebook.deadline(name), _coming(name)) for name in PROMISES]
    return render("administration/promises.html", here="admin", rows=rows)


def _coming(clock: str) -> reading.Edition | None:
    today = today_in_london()
    later = [edition for edition in reading.editions_of(PolicyKind.PROMISE, clock) if edition.in_force_from > today]
    return later[-1] if later else None


@bp.route("/admin/settings/promises/<clock>", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def promise(clock: str) -> Response:
    """Promise another length, from a day. Clocks already running keep their date."""
    if clock not in PROMISES:
        raise NoSuchSetting("There is no such promise. Go back and choose one.")
    today = today_in_london()
    rule = policy.rulebook_on(today).deadline(clock)
    form = PromiseForm(length=rule.length, in_force_from=today, seen=str(policy.policy_version()))
    if form.is_sent_and_right():
        try:
            changing.change_promise(
                clock=clock,
                length=form.length.data,
                in_force_from=form.in_force_from.data,
                actor=current_actor(),
                now=now_utc(),
                today=today,
                seen=_seen(form),
            )
        except changing.PolicyNotChanged as refusal:
            form.take_refusal(refusal)
        else:
            day = form.in_force_from.data
            tell(f"“{rule.what}”: {form.length.data} {UNIT_WORDS[rule.unit]}, from {day:%A} {day.day} {day:%B %Y}.")
            return see_other(url_for("administration.promises"))
    return _page(
        "promise.html",
        form,
        rule=rule,
        unit=UNIT_WORDS[rule.unit],
        history=reading.editions_of(PolicyKind.PROMISE, clock),
    )


@bp.route("/admin/settings/response", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def response() -> Response:
    """How enquiries are answered: from when the promise counts, how long it is for each way in, how often to try."""
    today = today_in_london()
    rulebook = policy.rulebook_on(today)
    rule = rulebook.response
    form = response_form(CHANNEL_WORDS)(
        closes_at=_time(rule.closes_minutes) if rule.closes_minutes < ANY_HOUR else None,
        least_tries=rule.least_tries,
        warn_at=_time(rule.warn_minutes),
        untouched_days=rule.untouched_days,
        in_force_from=today,
        seen=str(policy.policy_version()),
        **{f"length_{channel}": length for channel, length in rule.lengths.items()},
    )
    if form.is_sent_and_right():
        lengths = {channel: form[f"length_{channel}"].data for channel in CHANNEL_WORDS}
        closes_at = form.closes_at.data
        try:
            changing.change_response(
                changes={
                    "closes_minutes": _minutes(closes_at) or ANY_HOUR if closes_at is not None else ANY_HOUR,
                    "lengths": {channel: length for channel, length in lengths.items() if length is not None},
                    "least_tries": form.least_tries.data,
                    "warn_minutes": _minutes(form.warn_at.data),
                    "untouched_days": form.untouched_days.data,
                },
                in_force_from=form.in_force_from.data,
                actor=current_actor(),
                now=now_utc(),
                today=today,
                seen=_seen(form),
            )
        except changing.PolicyNotChanged as refusal:
            form.take_refusal(refusal)
        else:
            day = form.in_force_from.data
            tell(f"Kept, from {day:%A} {day.day} {day:%B %Y}. Clocks already running keep their date.")
            return see_other(url_for("administration.response"))
    return _page(
        "response.html",
        form,
        channels=list(CHANNEL_WORDS),
        rule=rule,
        promise=rulebook.deadline("first_contact"),
        example=[(words, rulebook.respond_by(Channel.WEB, arrived)) for words, arrived in _arrivals(today)],
        history=[
            (edition, _response_words(edition.value))
            for edition in reading.editions_of(PolicyKind.PROMISE, reading.RESPONSE)
        ],
    )


def _arrivals(today: date) -> list[tuple[str, datetime]]:
    """A few times to show the rule by: the coming Friday at noon and in the evening, and the Saturday."""
    friday = today + timedelta(days=(4 - today.weekday()) % 7)
    return [
        ("Friday, midday", datetime.combine(friday, time(12), LONDON)),
        ("Friday, 9pm", datetime.combine(friday, time(21), LONDON)),
        ("Saturday, 10am", datetime.combine(friday + timedelta(days=1), time(10), LONDON)),
        ("Monday, 9pm", datetime.combine(friday + timedelta(days=3), time(21), LONDON)),
    ]


def _response_words(value: Mapping[str, Any]) -> str:
    closes = value["closes_minutes"]
    parts = [f"closing at {clock_words(closes)}" if closes < ANY_HOUR else "any hour counts"]
    parts += [
        f"{CHANNEL_WORDS[Channel(channel)].lower()} in {length_words(Unit.WORKING_DAYS, length)}"
        for channel, length in value["lengths"].items()
    ]
    parts.append(f"{value['least_tries']} {'try' if value['least_tries'] == 1 else 'tries'} before closing")
    parts.append(f"managers told at {clock_words(value['warn_minutes'])}")
    parts.append(f"on the wall after {length_words(Unit.WORKING_DAYS, value['untouched_days'])}")
    return "; ".join(parts)


# --- Holidays, wording, panel -----------------------------------------------------------------------------------------


@bp.route("/admin/settings/holidays", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def holidays() -> Response:
    """Days that were proclaimed after the calendar was printed, or are worked after all."""
    form = HolidayForm(seen=str(policy.policy_version()))
    if form.is_sent_and_right():
        try:
            changing.add_one_off_holiday(
                day=form.day.data,
                name=form.name.data,
                is_worked=form.kind.data == "worked",
                actor=current_actor(),
                now=now_utc(),
                seen=_seen(form),
            )
        except changing.PolicyNotChanged as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{form.name.data} is kept. Clocks that start from now count with it.")
            return see_other(url_for("administration.holidays"))
    return _page("holidays.html", form, rows=reading.one_off_holidays())


@bp.post("/admin/settings/holidays/<int:holiday_id>/withdraw")
@requires(Permission.MANAGE_SETTINGS)
@writes
def withdraw_holiday(holiday_id: int) -> Response:
    """Take a one-off day back."""
    holiday = db.session.get(OneOffHoliday, holiday_id)
    if holiday is None or holiday.withdrawn_at is not None:
        raise NoSuchSetting("That day is not on the list any more.")
    changing.withdraw_one_off_holiday(holiday=holiday, actor=current_actor(), now=now_utc())
    tell(f"{holiday.name} is taken back. Clocks already running keep their date.")
    return see_other(url_for("administration.holidays"))


@bp.get("/admin/settings/wording")
@requires(Permission.MANAGE_SETTINGS)
def wordings() -> str:
    """The words that people agree to, with their version."""
    today = today_in_london()
    rows = [(name, label, policy.wording(name, today)) for name, label in WORDING_NAMES.items()]
    return render("administration/wordings.html", here="admin", rows=rows)


@bp.route("/admin/settings/wording/<name>", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def wording(name: str) -> Response:
    """Publish new words. The old ones stay beside what people said to them."""
    if name not in WORDING_NAMES:
        raise NoSuchSetting("There are no such words. Go back and choose some.")
    today = today_in_london()
    present = policy.wording(name, today)
    form = WordingForm(text=present.text, in_force_from=today, seen=str(policy.policy_version()))
    if form.is_sent_and_right():
        if form.text.data == present.text:
            form.text.errors = ["These are the words already in force"]
        else:
            try:
                version = changing.publish_wording(
                    name=name,
                    text=form.text.data,
                    in_force_from=form.in_force_from.data,
                    actor=current_actor(),
                    now=now_utc(),
                    today=today,
                    seen=_seen(form),
                )
            except changing.PolicyNotChanged as refusal:
                form.take_refusal(refusal)
            else:
                tell(f"{WORDING_NAMES[name]}, version {version}, is published.")
                return see_other(url_for("administration.wordings"))
    return _page(
        "wording.html",
        form,
        label=WORDING_NAMES[name],
        present=present,
        history=reading.editions_of(PolicyKind.WORDING, name),
    )


@bp.route("/admin/settings/panel", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def panel() -> Response:
    """Enter from when the law does or does not ask for a panel."""
    today = today_in_london()
    required = policy.rulebook_on(today).panel_required
    form = PanelForm(required="yes" if required else "no", seen=str(policy.policy_version()))
    if form.is_sent_and_right():
        try:
            changing.set_panel_required(
                required=form.required.data == "yes",
                in_force_from=form.in_force_from.data,
                source=form.source.data,
                actor=current_actor(),
                now=now_utc(),
                seen=_seen(form),
            )
        except changing.PolicyNotChanged as refusal:
            form.take_refusal(refusal)
        else:
            day = form.in_force_from.data
            tell(f"Kept, from {day:%A} {day.day} {day:%B %Y}.")
            return see_other(url_for("administration.panel"))
    ours = [
        (edition.in_force_from, edition.value["required"], edition.value["source"])
        for edition in reading.editions_of(PolicyKind.PANEL, "first_approval")
    ]
    law = [(edition.in_force_from, edition.required, edition.source) for edition in PANEL_EDITIONS]
    return _page("panel.html", form, required=required, history=[*ours, *law])
