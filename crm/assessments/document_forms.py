"""Forms about documents: handed in by an applicant or by staff, and what staff say of them."""

from __future__ import annotations

from wtforms import MultipleFileField

from crm.cases.models import Person
from crm.rules.documents import KINDS
from crm.web.choice_fields import SelectField
from crm.web.forms import BaseForm, DateField, LongTextField, Needed, Optional, TextField


class HandInForm(BaseForm):
    """Photos or a PDF."""

    files = MultipleFileField("Photos, or a PDF", [Needed("Choose a photo or a PDF to send")])


class HandInOtherForm(HandInForm):
    """Something that has no name of its own."""

    words = TextField("What it is", [Needed("Write what it is")], longest=200)


class AskForDocumentForm(BaseForm):
    """What is wanted, and of whom. ``whose`` is chosen for what each has of their own."""

    kind = SelectField(
        "What you need",
        [Needed("Choose what you need")],
        choices=[("", "Choose"), *((kind.name, kind.title) for kind in KINDS if kind.by_applicants)],
        default="",
    )
    whose = SelectField("Whose", choices=[("", "The household’s")], default="")
    words = LongTextField("What exactly, in words the household reads", [Optional()], longest=500)

    @classmethod
    def of(cls, people: list[Person]) -> AskForDocumentForm:
        """The form with the people of a household."""
        form = cls()
        form.whose.choices = [("", "The household’s"), *((str(one.id), one.full_name) for one in people)]
        return form


class AcceptDocumentForm(BaseForm):
    """It is good."""

    original_seen_on = DateField("You saw the original on", [Optional()], whole="the day you saw the original")
    ends_on = DateField("It holds until", [Optional()], whole="the last day on which it holds")


class SendBackForm(BaseForm):
    """It is not good enough, or not what was wanted."""

    why = LongTextField(
        "Why, and what you need instead", [Needed("Write what is wrong with it: the household reads it")], longest=500
    )
