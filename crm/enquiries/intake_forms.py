"""What a website may hand in: the fields of the public form themselves, as JSON, and the description of them.

There is one definition of each field, that of the page which asks it. What is read here is checked by that page's form,
and the schema is written from the same fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import wtforms
from werkzeug.datastructures import MultiDict

from crm.cases.consents import CONSENT_CHANNELS
from crm.enquiries import campaigns
from crm.enquiries.public_forms import (
    AgeForm,
    ContactForm,
    HeardForm,
    NameForm,
    NotThenForm,
    PostcodeForm,
    SafeContactForm,
    SecondAdultForm,
    criterion_form,
)
from crm.enquiries.questions import BY_CHOICE, ways_left
from crm.enquiries.submitting import Sent
from crm.rules.eligibility import Criterion
from crm.web.forms import BaseForm, DateField, EmailField, tidy
from crm.web.problems import NotAsDescribed

LONGEST_SAID = 2000
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}")
OUR_WORDS = "service"
MOST_FAULTS = 20

FIRST: tuple[tuple[type[BaseForm], tuple[str, ...]], ...] = (
    (NameForm, ("given_name", "family_name")),
    (AgeForm, ("born_on",)),
    (ContactForm, ("phone", "email", "prefers", "contact_times")),
    (SafeContactForm, ("safe", "safe_note")),
    (NotThenForm, ("never_by", "quiet_times")),
)
SECOND = ("given_name", "family_name", "phone", "email")
"""Of the second adult, under the same names as of the first."""
WORDS: Mapping[str, str] = {
    "given_name": "First name",
    "born_on": "Date of birth",
    "phone": "A phone number, or an email, is needed",
    "contact_times": "When it suits them to be rung",
    "safe": "Whether a message may be left. Ask it: somebody else may hear it",
    "never_by": "Ways that they ruled out",
    "quiet_times": "Times that they ruled out",
    "heard": "Where they heard of the service",
}
Faults = list[tuple[str, str]]


# --- Reading ----------------------------------------------------------------------------------------------------------


def read_enquiry(
    body: Any,
    criteria: Sequence[Criterion],
    *,
    website_id: int,
    source: str,
    one_time_id: str,
    received_at: datetime,
    known_version: Any,
) -> Sent:
    """What a website sent, as the form hands it on. ``known_version(name, version)`` says whether the service ever had
    such words. Raises NotAsDescribed, naming each field that is not right."""
    faults: Faults = []
    answers: dict[str, Any] = {}
    top = _object(body, "", set(_properties(criteria)), faults)
    _read_first(top, answers, faults)
    _read_second(top, answers, faults)
    _read_home(top, answers, criteria, faults)
    answers["said"] = _text(top, "said", "/said", LONGEST_SAID, faults)
    notice = _words_shown(top.get("privacy_notice"), "/privacy_notice", "privacy_notice", known_version, faults)
    answers["notice"] = _version_kept(notice, website_id)
    for who, name in (("applicant_1", "news"), ("applicant_2", "second_news")):
        _read_consents(top.get(who), who, name, answers, website_id, known_version, faults)
    arrivals = _read_arrivals(top.get("came_by"), received_at, faults)
    automatic = top.get("looks_automatic", False)
    if not isinstance(automatic, bool):
        faults.append(("/looks_automatic", "Say true or false"))
    if not faults and not ways_left(answers):
        faults.append(("/applicant_1/never_by", "Leave one way to reach them"))
    if faults:
        raise NotAsDescribed(
            "Some of this is not as it should be. Nothing was kept.", faults=tuple(faults[:MOST_FAULTS])
        )
    return Sent(
        answers=answers,
        arrivals=arrivals,
        received_at=received_at,
        one_time_id=one_time_id,
        source=source,
        website_id=website_id,
        signs=("website",) if automatic else (),
    )


def _object(value: Any, pointer: str, names: set[str], faults: Faults) -> dict[str, Any]:
    if not isinstance(value, dict):
        faults.append((pointer, "Send an object here, in curly brackets"))
        return {}
    for name in value:
        if name not in names:
            faults.append((f"{pointer}/{_escaped(name)}", "There is no field of this name"))
    return value


def _escaped(name: str) -> str:
    return tidy(name)[:60].replace("~", "~0").replace("/", "~1")


def _text(held: Mapping[str, Any], name: str, pointer: str, longest: int, faults: Faults) -> str:
    value = held.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        faults.append((pointer, "Send text here, in quotation marks"))
        return ""
    text = str(tidy(value))
    if len(text) > longest:
        faults.append((pointer, f"Make this {longest:,} characters or fewer; it has {len(text):,} now"))
    return text


def _read_page(
    kind: type[BaseForm], names: Mapping[str, str], held: Mapping[str, Any], pointer: str, faults: Faults
) -> dict[str, Any]:
    """Put what is there through a page's own form. ``names``: of the form's fields, those that are read, with the name
    of each here. What was not sent is an answer left out, which only a name or a way to reach them may not be."""
    sent: list[tuple[str, str]] = []
    misshapen = set()
    given = {field: held[name] for field, name in names.items() if held.get(name) is not None}
    for field, value in given.items():
        takes_several = _takes_several(kind, field)
        values = value if takes_several and isinstance(value, list) else [value]
        if (takes_several and not isinstance(value, list)) or any(not isinstance(one, str) for one in values):
            words = "Send a list of texts here" if takes_several else "Send text here, in quotation marks"
            faults.append((f"{pointer}/{names[field]}", words))
            misshapen.add(field)
        else:
            sent += [(field, one) for one in values[:50]]
    form = kind(MultiDict(sent))
    form.validate()
    for field, name in names.items():
        if form[field].errors and field not in misshapen and (field in given or name in NEVER_LEFT_OUT):
            faults.append((f"{pointer}/{name}", str(form[field].errors[0])))
    return {field: _kept(form[field].data) for field in given}


NEVER_LEFT_OUT = frozenset({"given_name", "family_name", "phone"})
"""What a form without it says so itself, where it needs it."""


def _takes_several(kind: type[BaseForm], field: str) -> bool:
    return issubclass(getattr(kind, field).field_class, wtforms.SelectMultipleField)


def _kept(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value or ""


def _read_first(top: Mapping[str, Any], answers: dict[str, Any], faults: Faults) -> None:
    names = {name for _, page in FIRST for name in page} | {"consents"}
    held = _object(top.get("applicant_1"), "/applicant_1", names, faults)
    for kind, page in FIRST:
        answers |= _read_page(kind, {name: name for name in page}, held, "/applicant_1", faults)


def _read_second(top: Mapping[str, Any], answers: dict[str, Any], faults: Faults) -> None:
    if top.get("applicant_2") is None:
        answers |= _read_page(SecondAdultForm, {"second": "second"}, top, "", faults)
        if answers.get("second") in ("partner", "other"):
            answers["second"] = "dont_know"  # there is another, whose name they did not give
        return
    held = _object(top["applicant_2"], "/applicant_2", {*SECOND, "consents"}, faults)
    answers["second"] = top.get("second") if top.get("second") in ("partner", "other") else "other"
    fields = {f"second_{name}": name for name in SECOND}
    answers |= _read_page(SecondAdultForm, fields, {**held}, "/applicant_2", faults)
    if not answers.get("second_given_name"):
        faults.append(("/applicant_2/given_name", "Tell us their first name"))


def _read_home(top: Mapping[str, Any], answers: dict[str, Any], criteria: Sequence[Criterion], faults: Faults) -> None:
    answers |= _read_page(PostcodeForm, {"postcode": "postcode"}, top, "", faults)
    answers |= _read_page(HeardForm, {"heard": "heard", "heard_detail": "heard_detail"}, top, "", faults)
    asked = {one.name: one for one in criteria if one.name in BY_CHOICE}
    held = top.get("answers")
    if held is None:
        return
    held = _object(held, "/answers", set(asked), faults)
    for name, criterion in asked.items():
        answers |= _read_page(criterion_form(criterion), {name: name}, held, "/answers", faults)


def _words_shown(value: Any, pointer: str, name: str, known_version: Any, faults: Faults) -> tuple[str, str]:
    """The version of some words that were shown, and where they stand."""
    held = _object(value, pointer, {"version", "source"}, faults) if value is not None else {}
    if value is None:
        faults.append((pointer, "Say which privacy notice was shown: its version and its source"))
        return "", ""
    return _version_of(held, ("version", "source"), pointer, name, known_version, faults)


def _version_of(
    held: Mapping[str, Any], names: tuple[str, str], pointer: str, name: str, known_version: Any, faults: Faults
) -> tuple[str, str]:
    version, source = held.get(names[0]), held.get(names[1])
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        words = "Name the version of the words that were shown: up to 20 letters, numbers, dots or hyphens"
        faults.append((f"{pointer}/{names[0]}", words))
        return "", ""
    is_address = isinstance(source, str) and re.fullmatch(r"https://[^\s<>\"\\]{3,190}", source)
    if source != OUR_WORDS and not is_address:
        faults.append(
            (f"{pointer}/{names[1]}", f"Say “{OUR_WORDS}” for the service’s own words, or their https address")
        )
        return "", ""
    if source == OUR_WORDS and not known_version(name, version):
        faults.append((f"{pointer}/{names[0]}", "The service has no such version of these words"))
        return "", ""
    return version, str(source)


def _version_kept(shown: tuple[str, str], website_id: int) -> str:
    """How a version is kept: a website's own stands apart from the service's, which may count alike."""
    version, source = shown
    return version if source == OUR_WORDS else f"site{website_id}:{version}"


def _read_consents(
    held: Any, who: str, name: str, answers: dict[str, Any], website_id: int, known_version: Any, faults: Faults
) -> None:
    consents = held.get("consents") if isinstance(held, dict) else None
    if consents is None:
        return
    pointer = f"/{who}/consents"
    if not isinstance(consents, list) or len(consents) > len(CONSENT_CHANNELS):
        faults.append((pointer, f"Send a list of up to {len(CONSENT_CHANNELS)}: one for each channel"))
        return
    given: list[str] = []
    versions: dict[str, str] = {}
    for number, one in enumerate(consents):
        here = f"{pointer}/{number}"
        consent = _object(one, here, {"channel", "given", "wording_version", "wording_source"}, faults)
        channel = consent.get("channel")
        if channel not in CONSENT_CHANNELS or channel in versions:
            faults.append((f"{here}/channel", f"Choose one of {', '.join(CONSENT_CHANNELS)}, each once"))
            continue
        if not isinstance(consent.get("given"), bool):
            faults.append((f"{here}/given", "Say true or false: a box left empty is false"))
        shown = _version_of(
            consent, ("wording_version", "wording_source"), here, f"consent.{channel}", known_version, faults
        )
        versions[channel] = _version_kept(shown, website_id)
        if consent.get("given") is True:
            given.append(channel)
    answers[name], answers[f"{name}_wordings"] = given, versions
    if name == "second_news":
        answers["second_here"] = "yes"  # a website asks each adult itself, or sends none


def _read_arrivals(value: Any, received_at: datetime, faults: Faults) -> list[dict[str, str]]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > campaigns.MOST_ARRIVALS:
        faults.append(("/came_by", f"Send a list of up to {campaigns.MOST_ARRIVALS} links, the first first"))
        return []
    arrivals: list[dict[str, str]] = []
    for number, one in enumerate(value):
        link = _object(one, f"/came_by/{number}", set(campaigns.NAMES), faults)
        wrong = [name for name in campaigns.NAMES if link.get(name) is not None and not isinstance(link[name], str)]
        faults += [(f"/came_by/{number}/{name}", "Send text here, in quotation marks") for name in wrong]
        if not wrong:
            found = campaigns.read_arrival({name: link[name] for name in campaigns.NAMES if link.get(name)})
            arrivals = campaigns.with_arrival(arrivals, found, now=received_at)
    return arrivals


# --- Describing -------------------------------------------------------------------------------------------------------


def enquiry_schema(criteria: Sequence[Criterion]) -> dict[str, Any]:
    """What may be handed in, as JSON Schema."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["applicant_1", "privacy_notice"],
        "properties": _properties(criteria),
    }


def _properties(criteria: Sequence[Criterion]) -> dict[str, Any]:
    first = {name: _schema(kind, name, name) for kind, page in FIRST for name in page}
    second = {name: _schema(SecondAdultForm, f"second_{name}", name) for name in SECOND}
    shown = {
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "source"],
        "properties": {"version": _VERSION, "source": _SOURCE},
        "description": "The privacy notice that was shown",
    }
    asked = [one for one in criteria if one.name in BY_CHOICE]
    return {
        "applicant_1": {
            "type": "object",
            "additionalProperties": False,
            "required": ["given_name", "family_name"],
            "anyOf": [{"required": ["phone"]}, {"required": ["email"]}],
            "properties": {**first, "consents": _CONSENTS},
        },
        "applicant_2": {
            "type": "object",
            "additionalProperties": False,
            "required": ["given_name"],
            "properties": {**second, "consents": _CONSENTS},
            "description": "The second adult, in their own words. Send consents only where they answered themselves",
        },
        "second": _schema(SecondAdultForm, "second", "second"),
        "postcode": _schema(PostcodeForm, "postcode", "postcode"),
        "answers": {
            "type": "object",
            "additionalProperties": False,
            "properties": {one.name: _schema(criterion_form(one), one.name, one.name) for one in asked},
            "description": "What the service asks about, with the answers it has today",
        },
        "heard": _schema(HeardForm, "heard", "heard"),
        "heard_detail": _schema(HeardForm, "heard_detail", "heard_detail"),
        "said": {"type": "string", "maxLength": LONGEST_SAID, "description": "Anything else, in their own words"},
        "came_by": {
            "type": "array",
            "maxItems": campaigns.MOST_ARRIVALS,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {name: {"type": "string"} for name in campaigns.NAMES},
            },
            "description": "The links by which they came, the first first. What is not known is kept as text",
        },
        "privacy_notice": shown,
        "looks_automatic": {
            "type": "boolean",
            "description": "Your own check thinks that a program filled it in: a person looks at it first",
        },
    }


def _schema(kind: type[BaseForm], field: str, name: str) -> dict[str, Any]:
    """One field of a page, described. A field that is not bound to a request says what it is by its class."""
    form = kind(MultiDict())
    made = form[field]
    if isinstance(made, wtforms.SelectMultipleField):
        several = [value for value, *_ in made.iter_choices()]
        described: dict[str, Any] = {"type": "array", "items": {"enum": several}, "uniqueItems": True}
    elif isinstance(made, wtforms.RadioField):
        described = {"enum": [value for value, *_ in made.iter_choices()]}
    elif isinstance(made, DateField):
        described = {"type": "string", "format": "date"}
    else:
        described = {"type": "string", "maxLength": getattr(made, "longest", 200)}
        if isinstance(made, EmailField):
            described["format"] = "email"
        if name in ("given_name", "family_name"):
            described |= {"minLength": 1, "pattern": r"\S"}
    return described | {"description": WORDS.get(name) or made.label.text}


_VERSION = {"type": "string", "pattern": f"^{VERSION.pattern}$", "description": "The version of the words shown"}
_SOURCE = {
    "type": "string",
    "maxLength": 200,
    "pattern": f'^({OUR_WORDS}|https://[^\\s<>"\\\\]{{3,190}})$',
    "description": "“service” for the service’s own words (see /api/v1/wordings), or the https address of yours",
}
_CONSENTS = {
    "type": "array",
    "maxItems": len(CONSENT_CHANNELS),
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["channel", "given", "wording_version", "wording_source"],
        "properties": {
            "channel": {"enum": list(CONSENT_CHANNELS)},
            "given": {"type": "boolean"},
            "wording_version": _VERSION,
            "wording_source": _SOURCE,
        },
    },
    "description": "What they said to news, on each channel they were asked about: one never stands for another",
}


def every_field(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The names of all the fields in a schema, for whoever checks that none was forgotten."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}/{name}"
        yield from every_field(inner, f"{path}/{name}")
