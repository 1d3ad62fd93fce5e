"""A calendar program of somebody who is invited, as RFC 5546 has it: events by UID, the newer message wins."""

from __future__ import annotations

from dataclasses import dataclass, field

from icalendar import Calendar


@dataclass
class Event:
    sequence: int
    stamp: bytes
    start: bytes
    is_off: bool


@dataclass
class AttendeesCalendar:
    """What one mailbox shows, whatever order the messages come in."""

    events: dict[str, Event] = field(default_factory=dict)

    def receive(self, raw: bytes) -> None:
        calendar = Calendar.from_ical(raw)
        (event,) = calendar.events
        uid, sequence = str(event["UID"]), int(event["SEQUENCE"])
        stamp = event["DTSTAMP"].to_ical()
        known = self.events.get(uid)
        if known is not None and (sequence, stamp) < (known.sequence, known.stamp):
            return
        if str(calendar["METHOD"]) in ("REQUEST", "CANCEL"):
            is_off = str(calendar["METHOD"]) == "CANCEL"
            self.events[uid] = Event(sequence, stamp, event["DTSTART"].to_ical(), is_off)

    @property
    def shown(self) -> dict[str, bytes]:
        """UID to beginning of what stands in it."""
        return {uid: event.start for uid, event in self.events.items() if not event.is_off}
