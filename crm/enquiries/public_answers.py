"""The answers of a public form put in words, to be looked over before they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from crm.enquiries import questions as pages
from crm.rules.quiet_times import keep_quiet, say_quiet
from crm.web.filters import date_only, names

Row = tuple[str, str, str, str]
WAYS = {"email": "email", "text": "text", "phone": "phone", "post": "post"}
KEPT_BACK = "Answered. Not shown here, because you came by a link"


def cards(answers: Mapping[str, Any], criteria: Any, *, hides: bool) -> list[tuple[str, list[Row]]]:
    """The cards of the check page: a title, and rows of label, value, second line and where to change it.

    ``hides`` keeps the closely held answers back, for somebody who came by a link.
    """
    asked = {question.slug: question for question in pages.asked(criteria)}

    def row(slug: str, label: str, value: str | None, second: str = "") -> list[Row]:
        question = asked.get(slug)
        if question is None:
            return []
        if hides and question.closely_held and any(answers.get(name) for name in question.answers):
            value, second = KEPT_BACK, ""
        return [(label, value or "Not answered", second, f"/enquire/{slug}?from=check")]

    def chosen(name: str) -> str | None:
        return pages.label_of(criteria, name, answers.get(name))

    born_on = answers.get("born_on")
    second = answers.get("second") or ""
    second_name = f"{answers.get('second_given_name', '')} {answers.get('second_family_name', '')}".strip()
    second_reach = ", ".join(part for part in (answers.get("second_phone"), answers.get("second_email")) if part)
    never = [pages.NEVER_WORDS[way].lower() for way in answers.get("never_by") or ()]
    not_then = [f"No {names(never)}"] if never else []
    quiet = say_quiet(keep_quiet(answers.get("quiet_times") or ()))
    not_then += [quiet] if quiet else []
    touch = row("heard", "Where you heard of us", pages.HEARD_WORDS.get(answers.get("heard") or ""),
                answers.get("heard_detail") or "")  # fmt: skip
    touch += row("news", "News and events", _news(answers, "news"))
    if answers.get("second_here") == "yes" and second_name:
        touch += row("news", f"News for {answers['second_given_name']}", _news(answers, "second_news"))
    return [
        (
            pages.HOME,
            row("postcode", "Postcode", answers.get("postcode"))
            + row("spare-room", "Spare room", chosen("spare_room")),
        ),
        (
            pages.HOUSEHOLD,
            row(
                "second-adult",
                "Fostering with you",
                second_name or pages.SECOND_WORDS.get(second, ""),
                second_reach if second_name else "",
            )
            + row("smoking", "Smoking or vaping", chosen("smoking"))
            + row("changes", "Big changes now", chosen("life_changes")),
        ),
        (
            pages.YOU,
            row("name", "Name", f"{answers.get('given_name', '')} {answers.get('family_name', '')}".strip())
            + row("age", "Born", date_only(date.fromisoformat(born_on)) if born_on else "")
            + row("fostering-now", "With another service now", chosen("approved_elsewhere"))
            + row("right-to-work", "Right to live and work in the UK", chosen("right_to_live")),
        ),
        (
            pages.REACH,
            row("contact", "Phone", answers.get("phone"))
            + row("contact", "Email", answers.get("email"))
            + row("contact", "First word", pages.PREFERS_WORDS.get(answers.get("prefers") or "", "As it comes"))
            + row("contact", "Best time", pages.TIMES_WORDS.get(answers.get("contact_times") or ""))
            + row(
                "safe-contact",
                "Leaving a message",
                pages.SAFE_WORDS.get(answers.get("safe") or ""),
                answers.get("safe_note") or "",
            )
            + row("not-then", "Never", ". ".join(not_then) or ("Nothing ruled out" if "never_by" in answers else "")),
        ),
        (pages.TOUCH, touch),
    ]


def _news(answers: Mapping[str, Any], name: str) -> str:
    ways = [WAYS[channel] for channel in answers.get(name) or ()]
    return f"By {names(ways)}" if ways else "No, thank you"
