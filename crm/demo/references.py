"""The people who speak for a fictional household: named, asked, heard in writing and rung, each at their own pace."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from crm.assessments import checks, referees
from crm.assessments.models import Check
from crm.assessments.referee_models import Referee
from crm.assessments.referees import NewReferee
from crm.cases import keys
from crm.clock import LONDON
from crm.db import db
from crm.demo import people as cast

if TYPE_CHECKING:
    from crm.demo.lives import Life

RELATIONS = ("friend", "friend", "colleague", "neighbour", "family", "community")
PERSON = (
    "Warm, dry, never late. You can tell {name} something and it goes no further.",
    "Patient to a fault. {name} will sit with somebody until they are ready to talk.",
    "Loud, generous, always three jobs on the go, and somehow all of them get done.",
)
CHILDREN = (
    "When my youngest would not leave the car at a party, {name} sat on the kerb and talked about snails until he did.",
    "{name} runs the under-tens on Saturdays. They do what {name} says, and not because they are afraid.",
    "My nephews ask whether {name} is coming before they ask who else is.",
)
HARD = (
    "The year of the redundancy was hard. {name} said so, asked for help, and did not take it out on anybody.",
    "{name} goes quiet first and talks after a walk. I have never heard a raised voice.",
    "When their mother was ill {name} kept a list on the fridge and let all of us take a line of it.",
)
ACCOUNTS = (
    "We talked for half an hour. What was said agrees with what was written. Nothing of concern.",
    "They spoke warmly and gave examples unasked. They would be there to help at weekends. Nothing of concern.",
    "A thoughtful talk. They had thought about what fostering asks, and are sure of it. Nothing of concern.",
)


@dataclass(order=True)
class Deed:
    """Something a referee, or we with them, will do on a day."""

    on: date
    referee_id: int
    what: str
    arrives_on: date = field(compare=False)


def name_one(life: Life, check: Check) -> None:
    """Somebody from outside the household takes this place."""
    draw = _draw(life, check)
    families = {one.family_name for one in life.case.household.people}
    givens = {one.given_name for one in life.case.household.people}
    given = draw.choice([one for one in cast.GIVEN if one not in givens])
    family = draw.choice([one for one in cast.FAMILY if one not in families and one.isascii()])
    mobile = draw.choice(cast.MOBILES)
    taken = {one.phone for one in (*life.case.household.people, *referees.referees_of(life.case))}
    new = NewReferee(
        name=f"{given} {family}",
        relation=draw.choice(RELATIONS),
        known_since=life.day.year - draw.randrange(3, 24),
        email=f"{(keys.name_key(f'{given} {family}') or '').replace(' ', '.')}.{check.id}@example.org",
        phone=mobile if mobile not in taken and draw.random() < 0.5 else None,
    )
    referees.name_referee(life.case, check, new, actor=life.team.actor(life.officer), **life.given)


def ask_one(life: Life, check: Check, arrives_on: date) -> list[Deed]:
    """Ask whoever has this interview's place, and say what they will do before it is held."""
    referee = referees.in_place(check)
    actor = life.team.actor(life.officer)
    if referee is None:
        checks.ask_for_check(life.case, check, requested_on=life.day, actor=actor, **life.given)
        return []
    referees.ask_referee(life.case, referee, actor=actor, **life.given)
    draw = _draw(life, check)
    kind = draw.choice(["writes"] * 6 + ["half"] * 2 + ["talk", "silent"])
    calendar = life.rulebook.calendar
    first = min(calendar.add(life.day, draw.choice([1, 2, 4, 7, 9])), arrives_on)
    deeds = [Deed(first, referee.id, "talk" if kind == "talk" else "half", arrives_on)] if kind != "silent" else []
    if kind == "writes":
        sent = min(calendar.add(first, draw.choice([0, 1, 3])), arrives_on)
        deeds.append(Deed(sent, referee.id, "send", arrives_on))
        deeds.append(Deed(min(calendar.add(sent, 2), arrives_on), referee.id, "talk booked", arrives_on))
    return deeds


def do_deed(life: Life, deed: Deed) -> None:
    """One of them, on its day."""
    referee = db.session.get_one(Referee, deed.referee_id)
    if not referee.is_in_place or referee.held_on is not None or referee.token_digest is None:
        return
    if deed.what == "talk booked":
        at = datetime.combine(deed.arrives_on, time(10, 30), LONDON)
        if at > life.instant:
            referees.book_interview(
                life.case, referee, booked_for=at, how="phone", actor=life.team.actor(life.officer), **life.given
            )
        return
    found = referees.opened(referees.token_of(referee), now=life.instant)
    if deed.what == "talk":
        referees.choose(found, "talk", **life.given)
        return
    if referee.choice is None:
        referees.choose(found, "yes", **life.given)
    answers = _answers(random.Random(f"reference {referee.id}"), found.person.given_name, referee)
    if deed.what == "half":
        begun = {key: answers[key] for key in ("relation", "known_since", "sees", "person", "relies")}
        referees.save_draft(found, begun, step="children", now=life.instant)
        return
    referees.save_draft(found, answers, step="check", now=life.instant)
    referees.submit(found, **life.given)


def came_in(life: Life, check: Check) -> bool:
    """Write the talk up that this check is about; whether there was anybody to talk with."""
    referee = referees.in_place(check) if check.item == referees.INTERVIEW_ITEM else None
    if referee is None:
        return False
    referees.write_up_interview(
        life.case,
        referee,
        held_on=life.day,
        account=_draw(life, check).choice(ACCOUNTS),
        view="supports",
        actor=life.team.actor(life.officer),
        **life.given,
    )
    return True


def _draw(life: Life, check: Check) -> random.Random:
    """By household and place, so that what becomes of a household does not hang on who speaks for it."""
    return random.Random(f"referees {life.number} {check.slot}")


def _answers(draw: random.Random, name: str, referee: Referee) -> dict[str, str]:
    worries = draw.random() < 0.15
    return {
        "relation": referee.relation,
        "known_since": str(referee.known_since or 2015),
        "sees": draw.choice(["weekly", "monthly"]),
        "person": draw.choice(PERSON).format(name=name),
        "relies": draw.choice(["always", "always", "mostly"]),
        "seen": draw.choice(["often", "sometimes"]),
        "children": draw.choice(CHILDREN).format(name=name),
        "leave": draw.choice(["yes", "yes", "thought"]),
        "home_known": draw.choice(["well", "little"]),
        "home": "It is an easy house to be in. People say sorry there.",
        "limits": draw.choice(["calm", "mostly", "unseen"]),
        "hard": draw.choice(HARD).format(name=name),
        "support_there": draw.choice(["many", "some"]),
        "support": "I would have a child for an afternoon any week.",
        "worry": "yes" if worries else "no",
        "worry_words": f"{name} finds it hard to rest. I would like somebody to keep an eye on that."
        if worries
        else "",
        "share": draw.choice(["no", "no", "yes"]),
    }
