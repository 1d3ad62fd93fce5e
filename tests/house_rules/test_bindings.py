"""What is bound by name in crm/app.py: the effects of moves, and every screen that was written."""

from __future__ import annotations

import ast
from importlib import import_module

import flask
import pytest

from crm import app as application
from crm.calendars import handlers
from crm.cases.effects import bind_effects, named_effects
from tests.house_rules.sources import Module, called, modules, planted


def blueprints_made(module: Module) -> list[str]:
    """The blueprints that a module makes, as crm/app.py names them."""
    return [
        f"{module.name}:{target.id}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and called(node.value) == "Blueprint"
        for target in node.targets
        if isinstance(target, ast.Name)
    ]


def views_without_routes(module: Module, served: set[str]) -> bool:
    """A file of views none of whose functions is served: it is not imported where its blueprint is."""
    return module.is_edge and not module.file.endswith("_forms") and bool(routes(module)) and module.name not in served


def routes(module: Module) -> list[str]:
    wanted = (".get", ".post", ".route", ".put", ".delete")
    return [
        node.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(d, ast.Call) and called(d).endswith(wanted) for d in node.decorator_list)
    ]


def test_every_effect_that_a_move_names_is_bound() -> None:
    assert set(application.EFFECTS) == named_effects()


def test_everything_that_calendars_name_is_bound() -> None:
    assert set(application.FROM_CALENDARS) == handlers.NAMED
    with pytest.raises(LookupError):
        handlers.bind({"planted": lambda **_: None})


def test_an_effect_without_its_function_is_caught() -> None:
    with pytest.raises(LookupError):
        bind_effects({"planted": lambda **_: None})


def test_every_blueprint_is_registered() -> None:
    made = {name for module in modules() for name in blueprints_made(module)}

    assert made - set(application.BLUEPRINTS) == set()


def test_every_file_of_views_is_served() -> None:
    app = flask.Flask("all")
    for name in application.BLUEPRINTS:
        module, _, attribute = name.partition(":")
        app.register_blueprint(getattr(import_module(module), attribute))
    served = {view.__module__ for view in app.view_functions.values()}

    assert [module.name for module in modules() if views_without_routes(module, served)] == []


def test_a_blueprint_that_was_forgotten_is_caught() -> None:
    forgotten = planted("crm.visits.more_views", "from flask import Blueprint\nbp = Blueprint('more', __name__)")
    views = planted("crm.visits.more_views", "@bp.get('/more')\ndef more():\n    return ''")

    assert blueprints_made(forgotten) == ["crm.visits.more_views:bp"]
    assert views_without_routes(views, served=set())
