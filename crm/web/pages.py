"""Drawing a page: what every template may count on, and ``render``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, make_response, redirect, render_template, request
from jinja2 import Environment, StrictUndefined, Template
from jinja2.environment import TemplateModule
from jinja2.runtime import Context
from markupsafe import escape

from crm import policy
from crm.clock import today_in_london
from crm.rules.permissions import PUBLIC, Actor, Permission
from crm.web import filters, forms, navigation, once

try:  # the quick part of ``escape``, for text that is known to be nothing else
    from markupsafe._speedups import _escape_inner
except ImportError:  # a platform without it
    _escape_inner: Callable[[str], str] = escape  # type: ignore[no-redef]


@dataclass(frozen=True)
class ServiceUnknown:
    """Stands in on a page about trouble, when the database can't say whose page it is."""

    name: str = "Fostering"
    phone: str = ""
    email: str = ""
    area: str = "this area"
    hours: str = ""


SERVICE_KEPT_SECONDS = 2.0
"""A change of the service's own words shows within this time in every process, and no page pays a query for them."""


def service() -> Any:
    """How the service speaks of itself in the frame of each page. For a rule or a letter, ask ``policy.service()``."""
    kept = current_app.extensions.get("crm_service_kept")
    if kept is not None and time.monotonic() < kept[1]:
        return kept[0]
    shown = policy.service()
    lasts = 0.0 if current_app.testing else SERVICE_KEPT_SECONDS
    current_app.extensions["crm_service_kept"] = (shown, time.monotonic() + lasts)
    return shown


def keep_service_without_database() -> None:
    """For a page about trouble: the service as this process last knew it, without asking again."""
    kept = current_app.extensions.get("crm_service_kept")
    shown = kept[0] if kept is not None else ServiceUnknown()
    current_app.extensions["crm_service_kept"] = (shown, time.monotonic() + SERVICE_KEPT_SECONDS)


def escaped(value: Any) -> str:
    """A value as a page may hold it. What a template draws is joined at once, so plain text needn't be wrapped as
    Markup first: on a long list that is half the time of escaping."""
    return _escape_inner(value) if type(value) is str else escape(value)


class LeanTemplate(Template):
    """Jinja compares the globals of two templates at each import of a macro; here all templates share the same."""

    @classmethod
    def _from_namespace(
        cls, environment: Environment, namespace: MutableMapping[str, Any], globals: MutableMapping[str, Any]
    ) -> Template:
        namespace["escape"] = escaped
        return super()._from_namespace(environment, namespace, globals)

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        if self._module is None:
            self._module = self.make_module()
        return self._module


def render(template: str, *, here: str | None = None, counts: Mapping[str, int] | None = None, **context: Any) -> str:
    """Draw a template. ``here`` marks the open place of the bar; ``counts`` are shown beside places ("my_day": 3)."""
    return render_template(template, here=here, counts=counts or {}, **context)


def see_other(address: str) -> Response:
    """After a change: the browser fetches the page that shows it, so that reloading repeats nothing."""
    return make_response(redirect(address, code=303))


def safe_path(address: str | None, otherwise: str) -> str:
    """A path of ours to go on to, or ``otherwise``: nobody is sent to another site by a link they were given."""
    if not address or not address.startswith("/") or address.startswith("//") or "\\" in address:
        return otherwise
    if any(ord(character) < 33 for character in address) or len(address) > 2000:
        return otherwise
    parts = urlsplit(address)
    return otherwise if parts.scheme or parts.netloc else address


def current_actor() -> Actor:
    """Whoever is asking, as the guards found out."""
    actor: Actor = g.get("actor", PUBLIC)
    return actor


def _context() -> dict[str, Any]:
    actor = current_actor()
    return {
        "service": service(),
        "actor": actor,
        "may": lambda permission: actor.has(Permission(permission)),
        "places": lambda counts: navigation.places_for(actor, counts),
        "signed_in": g.get("signed_in"),
        "is_demo": current_app.extensions["crm_settings"].is_demo,
        "here": None,
        "counts": {},
    }


def init_app(app: Flask) -> None:
    """Templates are strict (a name that is not there is a fault, in every environment), and know the common things."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.template_class = LeanTemplate
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    filters.init_app(app)
    app.context_processor(_context)
    app.jinja_env.globals.update(
        new_one_time_id=once.new_id,
        something_to_put_right=forms.something_to_put_right,
        request_path=lambda: request.path,
        today_in_london=today_in_london,
    )
