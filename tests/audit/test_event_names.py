"""Every event that the product records has its words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import crm
from crm.audit.event_names import EVENTS

RECORDERS = {"record", "note", "_record", "_note"}
EVENT = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")


def events_in(source: str) -> set[str]:
    """The names of events that a module hands to a function that records."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in RECORDERS:
            found |= {
                constant.value
                for constant in ast.walk(node.args[0])
                if isinstance(constant, ast.Constant)
                and isinstance(constant.value, str)
                and EVENT.fullmatch(constant.value)
            }
    return found


def test_every_event_recorded_anywhere_is_in_the_catalogue():
    used = set()
    for path in Path(crm.__file__).parent.rglob("*.py"):
        used |= events_in(path.read_text())

    assert used
    assert used - set(EVENTS) == set()


def test_a_name_that_is_not_in_the_catalogue_would_be_found():
    assert events_in('record("thing.done" if x else "thing.undone", actor=a)\naudit.record("other.made")') == {
        "thing.done", "thing.undone", "other.made"
    }  # fmt: skip
