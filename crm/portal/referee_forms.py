"""The forms behind a referee's own link."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from wtforms import BooleanField
from wtforms.validators import ValidationError

from crm.assessments.referee_models import Choice
from crm.assessments.referee_questions import LONGEST_WORDS, Answers, Question, Topic, is_answer_missing
from crm.web.choice_fields import RadioField
from crm.web.forms import BaseForm, LongTextField, Needed, Optional, TextField


class ChooseForm(BaseForm):
    """Whether they are who we think, and what they say to being a referee."""

    choice = RadioField(
        "First: are you the right person?",
        [Needed("Choose one of the answers")],
        choices=[
            (Choice.YES, "Yes, and I am happy to help"),
            (Choice.TALK, "Yes, but I would rather talk on the phone"),
            (Choice.NO, "Yes, but I would rather not be a referee"),
            (Choice.WRONG, "No, this came to the wrong person"),
        ],
    )


class TopicForm(BaseForm):
    """One page of questions; ``topic_form`` adds its boxes."""

    topic: ClassVar[Topic]

    def validate(self, extra_validators: Mapping[str, Any] | None = None) -> bool:
        good = super().validate(extra_validators)
        for question in self.topic.questions:
            if question.needed_if is not None and is_answer_missing(question, self.given()):
                self[question.key].errors = [question.needed]
                good = False
        return good

    def can_be_kept(self) -> bool:
        """Whether all that was answered so far can be kept: what is still missing is no mistake yet."""
        self.validate()
        for question in self.topic.questions:
            field = self[question.key]
            if not any(str(value).strip() for value in field.raw_data or ()):
                field.errors = []
        return not self.problems

    def given(self) -> Answers:
        """What was answered, as far as it can be kept: half-done pages are kept too."""
        found = {}
        for question in self.topic.questions:
            value = str(self[question.key].data or "")
            if question.choices:
                value = value if value in dict(question.choices) else ""
            elif question.is_year:
                value = value if re.fullmatch(r"[0-9]{4}", value) else ""
            found[question.key] = value[:LONGEST_WORDS]
        return found


class SendForm(BaseForm):
    """The declaration, and off it goes."""

    declares = BooleanField(
        "What I wrote is my own, and true as far as I know",
        [Needed("Tick the box to say that what you wrote is your own, and true as far as you know")],
    )


def topic_form(topic: Topic, *, name: str, this_year: int, answers: Mapping[str, str]) -> TopicForm:
    """The form of one topic, with the applicant's first name in its words and what was answered before."""
    fields = {question.key: _field(question, name, this_year) for question in topic.questions}
    form_class = type("TopicForm_", (TopicForm,), {"topic": topic, **fields})
    form: TopicForm = form_class(**{one.key: answers.get(one.key, "") for one in topic.questions})
    return form


def _field(question: Question, name: str, this_year: int) -> Any:
    words = question.words.replace("{name}", name)
    needed = question.needed.replace("{name}", name) if question.needed_if is None else ""
    first: Any = Needed(needed) if needed else Optional()
    if question.choices:
        return RadioField(
            words, [first], choices=[(value, said.replace("{name}", name)) for value, said in question.choices]
        )
    if question.is_year:
        return TextField(words, [first, _Year(this_year)], longest=10)
    return LongTextField(words, [first], longest=LONGEST_WORDS)


class _Year:
    """A year somebody can remember."""

    def __init__(self, this_year: int) -> None:
        self.this_year = this_year

    def __call__(self, form: BaseForm, field: Any) -> None:
        text = field.data or ""
        if not re.fullmatch(r"[0-9]{4}", text) or not 1900 <= int(text) <= self.this_year:
            raise ValidationError(f"Write the year with 4 numbers, no later than {self.this_year}")
