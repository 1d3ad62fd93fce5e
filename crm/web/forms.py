"""Forms: shape and wording. A form keeps everything that was typed, and says how to put each thing right.

``form = BookVisitForm()`` takes the request's answers on a POST and nothing on a GET. ``form.is_sent_and_right()`` is
true when a complete, right form came. ``form.status`` is 422 when there is something to put right, for the response.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

import phonenumbers
import wtforms
from flask import g, request
from werkzeug.datastructures import CombinedMultiDict, ImmutableMultiDict
from wtforms import HiddenField
from wtforms.validators import Optional as Optional_
from wtforms.validators import StopValidation, ValidationError

from crm.rules.refusal import Refusal
from crm.web import once

WHOLE_NUMBER_LIMIT = 2_147_483_647
# Characters that no name or note needs, and that break a database, a header or a log line; and those that turn what
# stands after them round, so that a page says what nobody wrote. Tabs, line ends, marks of Arabic and Hebrew stay.
UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

# What WTForms says by itself, in our words.
OUR_WORDS = {
    "This field is required.": "This is needed",
    "Not a valid choice.": "Choose one of the answers",
    "Not a valid choice": "Choose one of the answers",
    "Invalid Choice: could not coerce.": "Choose one of the answers",
    "Invalid choice(s): one or more data inputs could not be coerced.": "Choose from the answers",
    "Not a valid integer value.": "Write this as a whole number, like 4",
    "Not a valid decimal value.": "Write this as a number, like 2.5",
    "Not a valid float value.": "Write this as a number, like 2.5",
    "Not a valid date value.": "Write this as a date, like 2026-07-14",
    "Not a valid time value.": "Write this as a time, like 14:30",
    "Not a valid datetime value.": "Write this as a date and a time",
    "'%(value)s' is not a valid choice for this field.": "Choose from the answers",
    "'%(value)s' are not valid choices for this field.": "Choose from the answers",
}


class _PlainWords:
    """Translations for WTForms: from its English to ours."""

    def gettext(self, string: str) -> str:
        return OUR_WORDS.get(string, string)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return OUR_WORDS.get(singular if n == 1 else plural, singular if n == 1 else plural)


def tidy(value: Any) -> Any:
    """Text without control characters and without white space at its ends; anything else as it is."""
    return UNWANTED.sub("", value.replace("\r\n", "\n")).strip() if isinstance(value, str) else value


# --- Validators -------------------------------------------------------------------------------------------------------


class Needed:
    """An answer must be given; the message says which: "Tell us your first name"."""

    def __init__(self, message: str) -> None:
        self.message = message
        # Browsers' own bubbles are off (novalidate); this mark lets a macro say that the rest is optional.
        self.field_flags = {"needed": True}

    def __call__(self, form: BaseForm, field: Any) -> None:
        # Where a file is asked for, words are no answer.
        takes_file = isinstance(field, wtforms.FileField)
        sent = [
            value
            for value in field.raw_data or ()
            if getattr(value, "filename", None) or (not takes_file and tidy(str(value or "")))
        ]
        if not sent:
            field.errors = []
            raise StopValidation(self.message)
        if field.errors:
            raise StopValidation()


class Optional(Optional_):
    """Nothing is an answer: the other validators of an empty field are left out."""

    def __init__(self) -> None:
        super().__init__(strip_whitespace=True)


class Between:
    """A number from lowest to highest, both included."""

    def __init__(self, lowest: float, highest: float, message: str | None = None) -> None:
        self.lowest, self.highest = lowest, highest
        self.message = message or f"Write a number from {lowest:,} to {highest:,}"

    def __call__(self, form: BaseForm, field: Any) -> None:
        if field.data is None:
            return
        if not math.isfinite(field.data) or not self.lowest <= field.data <= self.highest:
            raise ValidationError(self.message)


class EmailAddress:
    """Something@somewhere: refuses what no mail could reach, and says what is missing."""

    def __call__(self, form: BaseForm, field: Any) -> None:
        value: str = field.data or ""
        if not value:
            return
        if "@" not in value:
            raise ValidationError("An email address has an @ in it, like maya@example.org")
        local, _, domain = value.rpartition("@")
        if " " in value or not value.isprintable():
            raise ValidationError("An email address has no spaces in it")
        if "@" in local or not local or len(value) > 254 or len(local) > 64:
            raise ValidationError("Check the part before the @ of this email address")
        labels = domain.split(".")
        good = all(re.fullmatch(r"[^\W_]([\w-]*[^\W_])?", label) and len(label) <= 63 for label in labels)
        if len(labels) < 2 or not good or re.search(r"[<>(),;:\\\"\[\]]", value) or ".." in local:
            raise ValidationError("Check this email address: after the @ comes a name with a dot, like example.org")


class PhoneNumber:
    """A number that could be rung from here. Kept as typed; one that merely looks unusual is never refused."""

    def __call__(self, form: BaseForm, field: Any) -> None:
        value: str = field.data or ""
        if not value:
            return
        digits = re.sub(r"\D", "", value)
        if not digits or re.search(r"[^\d\s()+.\-/xet]", value, re.IGNORECASE):
            raise ValidationError("Write the phone number with numbers only, like 07700 900 123")
        try:
            number = phonenumbers.parse(value, "GB")
            possible = phonenumbers.is_possible_number(number)
            # The library takes any length between the shortest and the longest; here there are only these.
            if number.country_code == 44:
                possible = possible and len(str(number.national_number)) in (7, 9, 10)
        except phonenumbers.NumberParseException:
            possible = False
        if not possible:
            raise ValidationError(f"This number has {len(digits)} digits. UK numbers have 11, like 07700 900 123")


# --- Fields -----------------------------------------------------------------------------------------------------------


class TextField(wtforms.StringField):
    """One line of text, at most ``longest`` characters."""

    def __init__(self, label: str | None = None, validators: Any = (), *, longest: int = 200, **kwargs: Any) -> None:
        super().__init__(label, validators, **kwargs)
        self.longest = longest

    def process_formdata(self, valuelist: Sequence[Any]) -> None:
        super().process_formdata(valuelist)
        if isinstance(self.data, str):
            self.data = re.sub(r"\s*[\r\n]+\s*", " ", self.data)


class LongTextField(wtforms.TextAreaField):
    """Text of several lines, at most ``longest`` characters."""

    def __init__(self, label: str | None = None, validators: Any = (), *, longest: int = 5000, **kwargs: Any) -> None:
        super().__init__(label, validators, **kwargs)
        self.longest = longest


class SecretField(wtforms.PasswordField):
    """A password: taken exactly as typed, never sent back."""

    longest = 1024


class EmailField(TextField):
    """An email address; looked at by EmailAddress."""

    def __init__(self, label: str | None = None, validators: Any = (), **kwargs: Any) -> None:
        kwargs.setdefault("longest", 254)
        super().__init__(label, [*validators, EmailAddress()], **kwargs)


class PhoneField(TextField):
    """A phone number, kept as typed; looked at by PhoneNumber."""

    def __init__(self, label: str | None = None, validators: Any = (), **kwargs: Any) -> None:
        kwargs.setdefault("longest", 30)
        super().__init__(label, [*validators, PhoneNumber()], **kwargs)


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class DateField(wtforms.Field):
    """A date in three boxes: ``<name>-day``, ``<name>-month``, ``<name>-year``.

    Whatever arrives is an answer or a message, never a fault of ours. ``bad_parts`` names the boxes to mark, and the
    link of the error lands on the first of them. ``whole`` is what the message calls it: "the date of the visit".
    """

    parts = ("day", "month", "year")

    def __init__(
        self,
        label: str | None = None,
        validators: Any = (),
        *,
        whole: str = "the date",
        earliest: int = 1900,
        latest: int = 2200,
        **kwargs: Any,
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.whole = whole
        self.earliest, self.latest = earliest, latest
        self.typed: dict[str, str] = {"day": "", "month": "", "year": ""}
        self.bad_parts: tuple[str, ...] = ()

    def process(self, formdata: Any, data: Any = wtforms.utils.unset_value, extra_filters: Any = None) -> None:
        self.process_errors = []
        if data is wtforms.utils.unset_value:
            data = self.default() if callable(self.default) else self.default
        self.object_data = self.data = data
        if isinstance(data, date):
            self.typed = {"day": str(data.day), "month": str(data.month), "year": str(data.year)}
        if formdata is None:
            return
        sent = {part: formdata.getlist(f"{self.name}-{part}") for part in self.parts}
        if not any(sent.values()):
            # One whole date (a link, a plain date box) is as good as three parts.
            whole = formdata.getlist(self.name)
            found = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", tidy(whole[0])) if whole else None
            if found is None:
                if whole and tidy(whole[0]):
                    self.process_errors = [f"Write {self.whole} as day, month and year, like 14 7 2026"]
                    self.bad_parts = self.parts
                self.data = None
                self.typed = dict.fromkeys(self.parts, "")
                return
            sent = {"year": [found[1]], "month": [found[2]], "day": [found[3]]}
        self.typed = {part: tidy(values[0])[:20] if values else "" for part, values in sent.items()}
        self.data = None
        self.raw_data = [value for value in self.typed.values() if value]
        if self.raw_data:
            self._read()

    def _read(self) -> None:
        missing = tuple(part for part in self.parts if not self.typed[part])
        if missing:
            self._wrong(missing, f"Add the {' and the '.join(missing)} to {self.whole}")
            return
        day, month, year = (_number(self.typed["day"]), _month(self.typed["month"]), _number(self.typed["year"]))
        if day is None or not 1 <= day <= 31:
            self._wrong(("day",), f"Check the day of {self.whole}: it is a number from 1 to 31")
        elif month is None:
            self._wrong(("month",), f"Check the month of {self.whole}: it is a number from 1 to 12")
        elif year is None or len(self.typed["year"]) != 4:
            self._wrong(("year",), f"Write the year of {self.whole} with 4 numbers, like 2026")
        elif not self.earliest <= year <= self.latest:
            self._wrong(("year",), f"Check the year of {self.whole}: it is from {self.earliest} to {self.latest}")
        else:
            try:
                self.data = date(year, month, day)
            except ValueError:
                self._wrong(("day",), f"Check {self.whole}: that month does not have {day} days")

    def _wrong(self, parts: tuple[str, ...], message: str) -> None:
        self.bad_parts = parts
        self.process_errors = [message]

    @property
    def focus_id(self) -> str:
        """Id of the box that an error's link should land in."""
        return f"{self.id}-{self.bad_parts[0] if self.bad_parts else 'day'}"


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


def _month(text: str) -> int | None:
    if text[:3].casefold() in MONTHS and text.isalpha():
        return MONTHS.index(text[:3].casefold()) + 1
    number = _number(text)
    return number if number is not None and 1 <= number <= 12 else None


class TimeField(wtforms.StringField):
    """A time of day as people write it: 2pm, 2:30pm, 14:30, 9.15 am, noon. The data is a ``datetime.time``."""

    longest = 20
    pattern = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*([ap])?\.?(?:m\.?)?", re.IGNORECASE)

    def process_formdata(self, valuelist: Sequence[Any]) -> None:
        text = tidy(valuelist[0]) if valuelist else ""
        self.data = None
        if not text:
            return
        self.data = read_time(text)
        if self.data is None:
            raise ValueError("Write the time like 2pm, 2:30pm or 14:30")

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        if isinstance(self.data, time):
            return f"{self.data:%H:%M}"
        return ""


def read_time(text: str) -> time | None:
    """The time of day that a person wrote, or None when it can't be told."""
    if text.casefold() in ("noon", "12 noon", "midday"):
        return time(12)
    found = TimeField.pattern.fullmatch(text)
    if found is None:
        return None
    hour, minute, half = int(found[1]), int(found[2] or 0), (found[3] or "").casefold()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


# --- Form -------------------------------------------------------------------------------------------------------------


class BaseForm(wtforms.Form):
    """The parent of every form.

    ``one_time_id`` makes a second sending harmless; ``seen`` carries the state that the person looked at, so that a
    change made meanwhile is noticed. The token against forgery is checked before the view, and drawn by the macro
    ``form_start``.
    """

    one_time_id = HiddenField()
    seen = HiddenField()

    class Meta(wtforms.Form.Meta):
        locales = False
        cache_translations = False

        def get_translations(self, form: Any) -> Any:
            return _PlainWords()

        def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Any:
            field_class = unbound_field.field_class
            if issubclass(field_class, wtforms.StringField) and not issubclass(
                field_class, wtforms.PasswordField | TimeField
            ):
                options = {**options, "filters": [tidy, *unbound_field.kwargs.get("filters", ())]}
            return unbound_field.bind(form=form, **options)

    def __init__(self, formdata: Any = None, *, prefix: str = "", takes_answers: bool = True, **kwargs: Any) -> None:
        # Of two forms on one page, the one that was not sent is drawn as it stands: takes_answers=False.
        if formdata is None and takes_answers and request.method in ("POST", "PUT", "PATCH"):
            formdata = CombinedMultiDict([request.files, request.form]) if request.files else request.form
            formdata = formdata or ImmutableMultiDict()
        super().__init__(formdata, prefix=prefix, **kwargs)
        self.is_sent = formdata is not None
        if self.is_sent:
            g.setdefault("sent_forms", []).append(self)
        self.refused: list[str] = []
        self.alternatives: tuple[str, ...] = ()
        if not (self.one_time_id.data and once.SHAPE.fullmatch(self.one_time_id.data)):
            self.one_time_id.data = once.new_id()

    def is_sent_and_right(self) -> bool:
        """Whether the form was sent, and nothing in it needs putting right."""
        return self.is_sent and self.validate()

    def validate(self, extra_validators: Mapping[str, Any] | None = None) -> bool:
        good = super().validate(extra_validators)
        for field in self:
            message = None if field.errors else _too_large(field)
            if message is not None:
                field.errors = [message]
                good = False
        return good

    def take_refusal(self, refusal: Refusal) -> None:
        """Show a refusal of the domain beside the field it is about, or at the top."""
        self.alternatives = refusal.alternatives
        if refusal.field and refusal.field in self._fields:
            field = self._fields[refusal.field]
            field.errors = [*field.errors, refusal.message]
        else:
            self.refused.append(refusal.message)

    @property
    def status(self) -> int:
        """HTTP status of a page showing this form: 422 when there is something to put right."""
        return 422 if self.problems else 200

    @property
    def problems(self) -> list[tuple[str | None, str]]:
        """Everything to put right, as (id of the box to land in, message), in the order of the form."""
        found: list[tuple[str | None, str]] = [(None, message) for message in [*self.refused, *self.form_errors]]
        for field in self:
            found.extend(_problems_of(field))
        return found


def something_to_put_right() -> bool:
    """Whether a form that came with this request is shown again with its faults: the title of the page says so, so that
    somebody who hears the page knows it at once."""
    return any(form.problems for form in g.get("sent_forms", ()))


def _too_large(field: Any) -> str | None:
    """What no column holds is refused here, whether or not the form thought of it."""
    data = field.data
    if isinstance(data, str) and not isinstance(field, wtforms.SelectField):
        longest = getattr(field, "longest", 10_000 if isinstance(field, wtforms.TextAreaField) else 200)
        if len(data) > longest:
            return f"Make this {longest:,} characters or fewer; it has {len(data):,} now"
    too_large = (isinstance(data, int) and abs(data) > WHOLE_NUMBER_LIMIT) or (
        isinstance(data, Decimal | float) and not (math.isfinite(data) and abs(data) < WHOLE_NUMBER_LIMIT)
    )
    return "Write a smaller number" if too_large else None


def _problems_of(field: Any) -> list[tuple[str | None, str]]:
    if isinstance(field, wtforms.FieldList | wtforms.FormField):
        inner = field.entries if isinstance(field, wtforms.FieldList) else list(field.form)
        return [problem for entry in inner for problem in _problems_of(entry)]
    return [(getattr(field, "focus_id", field.id), str(message)) for message in field.errors]
