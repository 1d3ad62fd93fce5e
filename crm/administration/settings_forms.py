"""The forms of the settings screens."""

from __future__ import annotations

from collections.abc import Mapping

from wtforms import IntegerField

from crm.visits.models import PLACE_WORDS, PURPOSE_WORDS
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


class ServiceForm(BaseForm):
    name = TextField("Name of the service", [Needed("Write the name of the service")], longest=80)
    short_name = TextField("Short name", [Needed("Write a short name")], longest=30)
    mark = TextField("Mark", [Needed("Write one or two letters")], longest=2)
    kind = RadioField(
        "What it is",
        [Needed("Choose what it is")],
        choices=[("ifa", "An independent fostering agency"), ("local_authority", "A council’s fostering service")],
    )
    phone = PhoneField("Phone", [Needed("Write the number people ring")])
    email = EmailField("Email", [Needed("Write the email address people write to")])
    website = TextField("Website", [Needed("Write the address of the website")], longest=200)
    address = LongTextField("Address", [Needed("Write the address")], longest=400)
    hours = TextField("When the phones are open", [Needed("Write when the phones are open")], longest=200)
    area = TextField("Where it finds homes", [Needed("Write where it finds homes")], longest=200)
    complaints = LongTextField("How to complain", [Needed("Write how to complain")], longest=1000)


ASKED_BEFORE_SIGNING = [
    ("no", "We don’t ask for it"),
    ("warn", "We ask for it: whoever countersigns is told where there is none"),
    ("needed", "No full report is countersigned without it"),
]


class AssessmentForm(BaseForm):
    asks_midway = RadioField("A midway review by a manager", [Needed("Choose one of the three")],
                             choices=ASKED_BEFORE_SIGNING)  # fmt: skip
    asks_second_opinion = RadioField("A second-opinion visit", [Needed("Choose one of the three")],
                                     choices=ASKED_BEFORE_SIGNING)  # fmt: skip


class LookForm(BaseForm):
    brand_colour = TextField("Main colour", [Needed("Write the main colour")], longest=7)
    link_colour = TextField("Colour of links", [Needed("Write the colour of links")], longest=7)
    accent_colour = TextField("Colour of the one thing to do now", [Needed("Write this colour")], longest=7)


class FallbackForm(BaseForm):
    owner = SelectField("Who takes an enquiry that nobody else takes", [Needed("Choose somebody")], coerce=int)


class AreaForm(BaseForm):
    name = TextField("Name of the area", [Needed("Write the name of the area")], longest=80)
    districts = LongTextField("Postcode districts", [Needed("Write its postcode districts")], longest=2000)
    owners = SelectMultipleField("Who take its enquiries, in turn", coerce=int)


class VisitsForm(BaseForm):
    visit_minutes = IntegerField(
        "How long a visit takes, in minutes", [Needed("Write how long"), Between(15, 480, "Write from 15 to 480")]
    )
    travel_minutes = IntegerField(
        "Travel where we can’t work it out, in minutes",
        [Needed("Write how long"), Between(0, 240, "Write from 0 to 240")],
    )
    visits_per_day = IntegerField(
        "At most so many visits a day for one officer", [Needed("Write how many"), Between(1, 12, "Write from 1 to 12")]
    )
    notice_hours = IntegerField(
        "Earliest notice of a visit, in hours", [Needed("Write how many"), Between(0, 336, "Write from 0 to 336")]
    )
    hold_hours = IntegerField(
        "A time is held for so many hours", [Needed("Write how many"), Between(1, 336, "Write from 1 to 336")]
    )
    link_days = IntegerField(
        "A household can choose a time by its link for so many days",
        [Needed("Write how many"), Between(1, 60, "Write from 1 to 60")],
    )
    chase_days = IntegerField(
        "The owner is told that they have not chosen after so many working days",
        [Needed("Write how many"), Between(1, 30, "Write from 1 to 30")],
    )
    change_hours = IntegerField(
        "They can change or cancel a visit by their link until so many hours before",
        [Needed("Write how many"), Between(0, 336, "Write from 0 to 336")],
    )
    late_in_minutes = IntegerField(
        "Not checked in: ask the officer after so many minutes",
        [Needed("Write how many"), Between(5, 120, "Write from 5 to 120")],
    )
    buddy_after_minutes = IntegerField(
        "Not checked out: tell the buddy after so many minutes",
        [Needed("Write how many"), Between(5, 120, "Write from 5 to 120")],
    )
    manager_after_minutes = IntegerField(
        "Still not checked out: tell the managers after so many minutes",
        [Needed("Write how many"), Between(10, 240, "Write from 10 to 240")],
    )
    working_from = TimeField("Visits may begin from", [Needed("Write a time")])
    working_until = TimeField("and end by", [Needed("Write a time")])
    safe_from = TimeField("Nobody is rung or texted before", [Needed("Write a time")])
    safe_until = TimeField("nor after", [Needed("Write a time")])


class TravelForm(BaseForm):
    """How fast people get from door to door, and what a mile is paid."""

    winding_percent = IntegerField(
        "Road for each 100 of the straight line", [Needed("Write how much"), Between(100, 250, "Write from 100 to 250")]
    )
    car_near_kmh = IntegerField(
        "By car, the first 10 km", [Needed("Write a speed"), Between(5, 120, "Write from 5 to 120")]
    )
    car_far_kmh = IntegerField("By car, beyond that", [Needed("Write a speed"), Between(5, 120, "Write from 5 to 120")])
    car_fixed_minutes = IntegerField(
        "By car, parking and walking", [Needed("Write how long"), Between(0, 60, "Write from 0 to 60")]
    )
    transit_near_kmh = IntegerField(
        "By public transport, the first 10 km", [Needed("Write a speed"), Between(3, 120, "Write from 3 to 120")]
    )
    transit_far_kmh = IntegerField(
        "By public transport, beyond that", [Needed("Write a speed"), Between(3, 120, "Write from 3 to 120")]
    )
    transit_fixed_minutes = IntegerField(
        "By public transport, walking and waiting", [Needed("Write how long"), Between(0, 90, "Write from 0 to 90")]
    )
    mileage_pence = IntegerField(
        "Paid for a mile driven", [Needed("Write how much"), Between(0, 200, "Write from 0 to 200")]
    )


class VisitTypeForm(BaseForm):
    """A kind of visit that the service makes."""

    name = TextField("What it is called", [Needed("Give it a name")], longest=60)
    purpose = RadioField("What it is for", [Needed("Choose what it is for")], choices=list(PURPOSE_WORDS.items()))
    minutes = IntegerField("How long, in minutes", [Needed("Write how long"), Between(15, 480, "Write from 15 to 480")])
    officers = RadioField(
        "Who goes", [Needed("Choose one officer, or two")], choices=[("1", "One officer"), ("2", "Two officers")]
    )
    place = RadioField("Where", [Needed("Choose where you meet")], choices=list(PLACE_WORDS.items()))


class PromiseForm(BaseForm):
    length = IntegerField("How long", [Needed("Write how long")])
    in_force_from = DateField("From which day", [Needed("Give the day it counts from")], whole="the day", earliest=2020)


class ResponseForm(BaseForm):
    """How enquiries are answered. ``length_<channel>`` is left empty where the general promise holds."""

    closes_at = TimeField("Closing time", [Optional()])
    least_tries = IntegerField(
        "Tries before closing without an answer",
        [Needed("Write how many tries"), Between(1, 9, "Write a number from 1 to 9")],
    )
    warn_at = TimeField("Tell managers of what is due today", [Needed("Write a time")])
    untouched_days = IntegerField(
        "Working days until a household stands on the wall",
        [Needed("Write how many working days"), Between(1, 90, "Write a number from 1 to 90")],
    )
    in_force_from = DateField("From which day", [Needed("Give the day it counts from")], whole="the day", earliest=2020)


def response_form(channels: Mapping[str, str]) -> type[ResponseForm]:
    """The form with one box for each way to reach the service, by its words."""
    boxes = {
        f"length_{channel}": IntegerField(words, [Optional(), Between(1, 90, f"{words}: write from 1 to 90")])
        for channel, words in channels.items()
    }
    return type("ResponseForm", (ResponseForm,), boxes)


class HolidayForm(BaseForm):
    day = DateField("The day", [Needed("Give the day")], whole="the day", earliest=2020)
    name = TextField("What it is", [Needed("Give the day a name")], longest=80)
    kind = RadioField(
        "What it means",
        [Needed("Choose what it means")],
        choices=[("holiday", "No work: a bank holiday that was proclaimed"), ("worked", "Worked after all")],
        default="holiday",
    )


class WordingForm(BaseForm):
    text = LongTextField("The words", [Needed("Write the words in full")], longest=4000)
    in_force_from = DateField("From which day", [Needed("Give their first day")], whole="the day", earliest=2020)


class PanelForm(BaseForm):
    required = RadioField(
        "Does a first approval need a panel’s recommendation?",
        [Needed("Choose one")],
        choices=[("yes", "Yes, a panel must recommend"), ("no", "No, the decision maker may decide without a panel")],
    )
    in_force_from = DateField("From which day", [Needed("Give the day it counts from")], whole="the day", earliest=2011)
    source = TextField("The regulations that say so", [Needed("Name the regulations that say so")], longest=300)
