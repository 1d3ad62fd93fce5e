"""What is written to the log: one JSON line an event, with a short list of keys allowed. No name, address, number,
letter, answer or secret is ever logged; an unknown key is dropped, so a careless line can't leak."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

from crm.clock import now_utc

ALLOWED = frozenset(
    {
        "event", "level", "at", "request_id", "endpoint", "method", "status", "milliseconds", "user_id", "case_id",
        "kind", "reason", "job", "task", "letter_id", "message_id", "attempt", "count", "seconds", "worker", "fault",
        "where", "database", "migration", "port", "version", "rows", "host_count", "bytes",
    }
)  # fmt: skip

Event = MutableMapping[str, Any]


def keep_allowed(_logger: Any, _name: str, event: Event) -> Event:
    """Drop every key that is not on the list, and show a fault by its kind and place: messages quote values."""
    fault = event.pop("exc_info", None)
    if fault:
        if fault is True:
            fault = sys.exc_info()
        elif isinstance(fault, BaseException):
            fault = (type(fault), fault, fault.__traceback__)
        kind, _value, trace = fault
        if kind is not None:
            event["fault"] = kind.__name__
            event["where"] = [
                f"{f.filename.rsplit('/', 3)[-1]}:{f.lineno} {f.name}" for f in traceback.extract_tb(trace)
            ][-12:]
    return {key: value for key, value in event.items() if key in ALLOWED}


def add_time(_logger: Any, _name: str, event: Event) -> Event:
    event["at"] = now_utc().isoformat(timespec="milliseconds")
    return event


def render(_logger: Any, _name: str, event: Event) -> str:
    return json.dumps(event, ensure_ascii=True, default=str)


class _StandardAsJson(logging.Formatter):
    """Lines of libraries: where they come from and how grave they are, never their text, which may quote anything."""

    def format(self, record: logging.LogRecord) -> str:
        fault = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        line = {"event": record.name, "level": record.levelname.lower(), "where": f"{record.module}:{record.lineno}"}
        if record.name.startswith(("granian", "_granian")) and not record.args:
            line["event"] = record.getMessage()[:120]
        return json.dumps(
            {**line, **({"fault": fault} if fault else {}), "at": now_utc().isoformat(timespec="milliseconds")}
        )


class _StandardError:
    """Whatever standard error is at the moment of writing: it may have been put elsewhere since we started."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def set_up() -> None:
    """Send everything to standard error as JSON lines. Harmless to call again."""
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, keep_allowed, add_time, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(_StandardError()),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in list(root.handlers):
        if getattr(handler, "is_ours", False):
            root.removeHandler(handler)
    handler = logging.StreamHandler(_StandardError())
    handler.is_ours = True  # type: ignore[attr-defined]
    handler.setFormatter(_StandardAsJson())
    root.addHandler(handler)
    root.setLevel(logging.WARNING)


def get() -> Any:
    """The logger. First argument: what happened, in a few fixed words; then only allowed keys."""
    return structlog.get_logger()
