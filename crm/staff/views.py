"""The blueprint of the staff screens, and where a button leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, current_app, url_for
from werkzeug.routing import BuildError

from crm.staff.move_pages import MovePage

bp = Blueprint("staff", __name__)

_CASE_NAMES = ("reference", "ref")
_UNLIKELY = "KF-0REF0"


def case_path(reference: str) -> str:
    """The address of a case. Written out because lists draw a hundred of them a page."""
    return f"/cases/{reference}"


def address_of(page: MovePage, reference: str, **ids: int | None) -> str:
    """Where a button leads: the page of its own, or the one named for when an id that it needs is not known."""
    if not ids:
        # Lists draw hundreds of these: the pattern is looked up, and the reference put in.
        pattern = current_app.extensions.setdefault("crm_patterns", {}).get(page)
        if pattern is not None:
            return str(pattern).replace(_UNLIKELY, reference)
    for endpoint in (page.endpoint, page.otherwise):
        found = _address(endpoint, reference, {name: value for name, value in ids.items() if value is not None})
        if found is not None:
            if not ids:
                current_app.extensions["crm_patterns"][page] = found.replace(reference, _UNLIKELY)
            return found
    return case_path(reference)


def _address(endpoint: str, reference: str, ids: Mapping[str, int]) -> str | None:
    known: dict[tuple[str, tuple[str, ...]], str | None] = current_app.extensions.setdefault("crm_addresses", {})
    key = (endpoint, tuple(sorted(ids)))
    if key not in known:
        known[key] = _pattern(endpoint, ids)
    pattern = known[key]
    if pattern is None:
        return None
    address = pattern.replace(_UNLIKELY, reference)
    for number, name in enumerate(sorted(ids)):
        address = address.replace(str(_number_for(number)), str(ids[name]))
    return address


def _pattern(endpoint: str, ids: Mapping[str, Any]) -> str | None:
    """The address of an endpoint with stand-ins for what changes from row to row; None when an id is missing."""
    if endpoint not in current_app.view_functions:
        return None
    for rule in current_app.url_map.iter_rules(endpoint):
        if rule.methods is not None and "GET" not in rule.methods:
            continue
        values: dict[str, Any] = {}
        for argument in rule.arguments:
            if argument in _CASE_NAMES:
                values[argument] = _UNLIKELY
            elif argument in ids:
                values[argument] = _number_for(sorted(ids).index(argument))
        if set(values) != rule.arguments:
            continue
        try:
            return url_for(endpoint, **values)
        except BuildError:
            continue
    return None


def _number_for(position: int) -> int:
    return 900_719_000 + position


# The pages: imported here so that whoever takes the blueprint has them all.
from crm.staff import (  # noqa: E402
    board_views,  # noqa: F401
    case_views,  # noqa: F401
    caseload_views,  # noqa: F401
    edit_views,  # noqa: F401
    leave_views,  # noqa: F401
    letters_views,  # noqa: F401
    look_alike_views,  # noqa: F401
    merge_views,  # noqa: F401
    my_day_views,  # noqa: F401
    search_views,  # noqa: F401
    tray_views,  # noqa: F401
)
