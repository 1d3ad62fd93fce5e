"""Run by test_ical with PYTHONOPTIMIZE=1: the lines of a message stay the template's though no ``assert`` runs."""

import random
import sys
from datetime import UTC, datetime

from crm.calendars import ical
from crm.calendars.ical import CalendarNotAsMeant, EventFacts, Mailbox, property_names

CASES = 2000
NASTY = "\r\n\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\ufeff\x1b:;,\"\\^'=<>ab ü\U0001d518"
LINES = sorted([*ical.FRAME_PROPERTIES, *ical.EVENT_PROPERTIES, *ical.PEOPLE_PROPERTIES])


def text(dice: random.Random) -> str:
    return "".join(dice.choice(NASTY) for _ in range(dice.randrange(60)))


def main() -> int:
    if __debug__:
        print("assertions are on", file=sys.stderr)
        return 2
    dice = random.Random(19)
    start, end = datetime(2026, 7, 14, 13, tzinfo=UTC), datetime(2026, 7, 14, 14, tzinfo=UTC)
    for number in range(CASES):
        facts = EventFacts(
            uid="u@k.example.org", sequence=0, starts_at=start, ends_at=end, summary=text(dice), location=text(dice),
            description=[text(dice), text(dice)], url=text(dice),
        )  # fmt: skip
        raw = ical.message(
            facts,
            method="REQUEST",
            stamp=start,
            organiser=Mailbox("visits@k.example.org", text(dice)),
            attendee=Mailbox("maya@example.org", text(dice)),
        )
        if sorted(property_names(raw)) != LINES:
            print(f"case {number}: {property_names(raw)}", file=sys.stderr)
            return 1
    try:
        ical.check_lines(b"BEGIN:VEVENT\r\nSUMMARY:a\rX:b\r\nEND:VEVENT\r\n", ("BEGIN", "SUMMARY", "END"))
    except CalendarNotAsMeant:
        print(f"{CASES} cases, assertions off")
        return 0
    print("the gate let a second line through", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
