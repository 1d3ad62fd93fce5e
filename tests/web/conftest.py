"""A few screens made for these tests: a counter that forms raise, and a form with a field of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
import pytest
import sqlalchemy as sa
import wtforms
from flask import Blueprint, request
from jinja2 import ChoiceLoader, DictLoader

from crm.access.guards import public_page, requires, requires_applicant, requires_staff
from crm.clock import now_utc
from crm.db import db
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.settings import Settings
from crm.web import once
from crm.web.choice_fields import RadioField, SelectField, SelectMultipleField
from crm.web.forms import (
    BaseForm,
    Between,
    DateField,
    EmailField,
    LongTextField,
    Needed,
    Optional,
    PhoneField,
    TextField,
    TimeField,
)
from crm.web.limits import limited
from crm.web.models import RateWindow
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.uploads import accepts_upload
from crm.web.writes import writes
from tests.conftest import application
from tests.standing import lent

PAGE = """{% extends "layouts/public.html" %}
{% from "components/checkboxes.html" import checkbox, checkboxes %}
{% from "components/date_input.html" import date_input %}
{% from "components/error_summary.html" import error_summary %}
{% from "components/form_start.html" import form_start %}
{% from "components/input.html" import input %}
{% from "components/radios.html" import radios %}
{% from "components/select.html" import select %}
{% from "components/textarea.html" import textarea %}
{% block page_title %}Desk{% endblock %}
{% block main %}{{ error_summary(form) }}<h1 class="pub-h1">Desk</h1>
<form method="post" novalidate>{{ form_start(form) }}
{{ input(form.name, hint="As they say it") }}{{ input(form.email, type="email") }}{{ input(form.phone, type="tel") }}
{{ date_input(form.on) }}{{ input(form.at) }}{{ input(form.number) }}{{ input(form.sum) }}{{ select(form.kind) }}
{{ radios(form.room) }}{{ checkboxes(form.ways) }}{{ checkbox(form.agreed) }}{{ textarea(form.note) }}
<button type="submit" class="govuk-button">Keep</button></form>{% endblock %}"""


class DeskForm(BaseForm):
    name = TextField("Name", [Needed("Write the name")], longest=40)
    email = EmailField("Email")
    phone = PhoneField("Phone")
    on = DateField("Date", [Optional()], whole="the date of birth")
    at = TimeField("Time")
    number = wtforms.IntegerField("Number", [Optional(), Between(1, 12)])
    sum = wtforms.DecimalField("Sum", [Optional()])
    kind = SelectField("Kind", choices=[("a", "First"), ("b", "Second")], default="a")
    room = RadioField("Room", [Optional()], choices=[("yes", "Yes"), ("no", "No")])
    ways = SelectMultipleField("Ways", choices=[("call", "Call"), ("text", "Text")])
    agreed = wtforms.BooleanField("Agreed")
    note = LongTextField("Note", longest=200)


def count() -> int:
    """How often the desk's work was done."""
    return db.session.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(RateWindow.count), 0)).where(RateWindow.key == "desk")
    )


def raise_counter() -> None:
    row = db.session.get(RateWindow, "desk")
    if row is None:
        db.session.add(RateWindow(key="desk", began_at=now_utc(), count=1))
    else:
        row.count += 1
    db.session.flush()


bp = Blueprint("desk", __name__)


@bp.route("/desk", methods=["GET", "POST"])
@public_page
@writes
def desk() -> Any:
    form = DeskForm()
    if form.is_sent_and_right():
        raise_counter()
        once.remember(f"desk:{form.name.data}")
        tell(f"Kept for {form.name.data}.")
        return see_other(f"/desk/kept?name={form.name.data}")
    return render("desk.html", form=form), form.status


@bp.get("/desk/kept")
@public_page
def kept() -> str:
    return render("desk_kept.html")


@bp.post("/desk/versions")
@public_page
@writes(versions=True)
def versions() -> Any:
    earlier = once.earlier()
    raise_counter()
    once.remember("first" if earlier is None else f"{earlier.subject}, changed")
    return see_other(f"/desk/kept?was={earlier.subject if earlier else 'nothing'}")


@bp.post("/desk/refuses")
@public_page
@writes
def refuses() -> Any:
    raise_counter()
    raise Refusal(
        "That time has gone.", status=int(request.form.get("status", 409)), alternatives=("Choose Thursday at 2pm.",)
    )


@bp.post("/desk/shows-422")
@public_page
@writes
def shows_422() -> Any:
    raise_counter()
    return render("desk_kept.html"), 422


@bp.post("/desk/breaks")
@public_page
@writes
def breaks() -> Any:
    raise_counter()
    raise ZeroDivisionError("Maya Thompson 07700 900214")


@bp.route("/desk/forgets", methods=["GET", "POST"])
@public_page
def forgets() -> str:
    raise_counter()
    return "never"


@bp.post("/desk/forgets-a-statement")
@public_page
def forgets_a_statement() -> str:
    db.session.execute(sa.update(RateWindow).values(count=99))
    return "never"


@bp.post("/desk/limited")
@public_page
@limited("desk", at_most=3, seconds=60)
@writes
def is_limited() -> Any:
    return "fine", {"Content-Type": "text/plain; charset=utf-8"}


@bp.post("/desk/upload")
@public_page
@accepts_upload(megabytes=5)
@writes
def upload() -> Any:
    return str(len(request.files["file"].read())), {"Content-Type": "text/plain; charset=utf-8"}


@bp.get("/desk/sensitive/<int:case_id>")
@requires(Permission.VIEW_CASES)
@records_view("case")
def sensitive(case_id: int) -> str:
    if not request.args.get("silent"):
        saw(case_id=None, subject=f"case:{case_id}", kinds=("offence",))
    return render("desk_kept.html")


@bp.route("/desk/staff", methods=["GET", "POST"])
@requires_staff
@writes
def for_staff() -> Any:
    if request.method == "POST":
        raise_counter()
        return see_other("/desk/staff")
    return render("desk_staff.html")


@bp.route("/desk/applicant", methods=["GET", "POST"])
@requires_applicant
@writes
def for_applicant() -> Any:
    if request.method == "POST":
        raise_counter()
    return render("desk_kept.html")


@bp.route("/desk/undeclared", methods=["GET", "POST"])
def undeclared() -> str:
    return "never"


TEMPLATES = {
    "desk.html": PAGE,
    "desk_kept.html": '{% extends "layouts/public.html" %}{% block page_title %}Kept{% endblock %}'
    '{% block main %}<h1 class="pub-h1">Kept</h1>{% endblock %}',
    "desk_staff.html": '{% extends "layouts/staff.html" %}{% block page_title %}Staff{% endblock %}'
    '{% block main %}<h1 class="ds-h1">Staff</h1>{% endblock %}',
}


@pytest.fixture
def app(settings: Settings) -> Iterator[flask.Flask]:
    """The product, with the desk in it."""
    with lent(application_with_the_desk, settings) as app:
        yield app


def application_with_the_desk(settings: Settings) -> flask.Flask:
    app = application(settings)
    app.jinja_loader = ChoiceLoader([app.jinja_loader, DictLoader(TEMPLATES)])  # type: ignore[list-item]
    app.register_blueprint(bp)
    return app


@pytest.fixture
def counted(app: flask.Flask) -> Any:
    """``counted()``: how often the desk's work was done."""

    def ask() -> int:
        with app.app_context():
            return count()

    return ask


@pytest.fixture
def token(app: flask.Flask) -> Any:
    """``token(client)``: a token that fits the forms of this client on public pages."""

    def make(client: Any) -> str:
        answer = client.get("/desk")
        return str(answer.page.form(button="Keep").filled("Keep")["csrf_token"])

    return make


# What looking may change: that somebody looked, was refused, or is still there.
BOOKKEEPING = frozenset({"audit_entry", "audit_seal", "web_session"})


@pytest.fixture
def contents(app: flask.Flask) -> Any:
    """``contents()``: a digest of every table but the bookkeeping."""
    import hashlib

    def ask() -> dict[str, str]:
        with app.app_context(), db.engine.connect() as connection:
            digests = {}
            for table in db.metadata.sorted_tables:
                if table.name not in BOOKKEEPING:
                    rows = sorted(repr(tuple(row)) for row in connection.execute(sa.select(table)))
                    digests[table.name] = hashlib.sha256("".join(rows).encode()).hexdigest()
            return digests

    return ask
