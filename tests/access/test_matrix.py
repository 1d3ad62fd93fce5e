"""Every address, with every method, as everyone: decided, and as written in authz.yaml (G13)."""

from __future__ import annotations

import contextvars
import os
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask
import pytest
import sqlalchemy as sa
import yaml
from werkzeug.routing import Rule

from crm.access.guards import cookie_name
from crm.access.models import SessionKind
from crm.access.sessions import find
from crm.clock import now_utc
from crm.db import db, transaction
from crm.web import forgery
from tests.access.objects_assessments import with_couple
from tests.access.world import RELATIONS, World, known_objects
from tests.factories import Cast, Member, make_cast, open_session

OF_CALENDARS = ("PROPFIND", "PROPPATCH", "REPORT", "MKCALENDAR", "MKCOL")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", *OF_CALENDARS)
REFUSED_ON_POSTGRESQL = 2000
PARTS = 2
IS_NIGHT = os.environ.get("CRM_TEST_TIER") == "night"
TOKENS = re.compile(rb'(name="(?:csrf_token|one_time_id)" value=")[^"]*')


@dataclass(frozen=True)
class Cell:
    """One question: may this member do this, here?"""

    rule: str
    method: str
    relation: str
    member: str
    may: bool

    def __str__(self) -> str:
        return f"{self.method} {self.rule} ({self.relation}) as {self.member}"


def oracle() -> dict[str, Any]:
    return yaml.safe_load((Path(__file__).parent / "authz.yaml").read_text())


def addresses(app: flask.Flask) -> dict[str, set[str]]:
    """Every address of the product with its methods."""
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        found.setdefault(rule.rule, set()).update((rule.methods or set()) - {"OPTIONS"})
    return found


def members_of(names: list[str], groups: dict[str, list[str]]) -> set[str]:
    return {member for name in names for member in groups.get(name, [name])}


def cells_of(book: dict[str, Any], everyone: set[str]) -> list[Cell]:
    cells = []
    for rule, entry in book["routes"].items():
        relations = RELATIONS if "of" in entry else ("own",)
        for method in METHODS:
            allowed = entry.get("GET" if method == "HEAD" else method, {})
            by_relation = allowed if isinstance(allowed, dict) else {"own": allowed, "other": allowed}
            if "closed" not in by_relation:
                closed = members_of(by_relation.get("own", []), book["groups"]) - set(book["not_once_closed"])
                by_relation = {**by_relation, "closed": sorted(closed)}
            for relation in relations:
                may = members_of(by_relation.get(relation, []), book["groups"]) if relation != "missing" else set()
                cells.extend(Cell(rule, method, relation, member, member in may) for member in sorted(everyone))
    return cells


def test_every_address_is_in_the_oracle_and_no_other(app: flask.Flask) -> None:
    book = oracle()["routes"]
    served = addresses(app)

    assert sorted(served.keys() - book.keys()) == [], "these addresses have no line in authz.yaml"
    assert sorted(book.keys() - served.keys()) == [], "these lines of authz.yaml lead nowhere"
    for rule, methods in served.items():
        named = set(book[rule]) & set(METHODS)
        assert (methods - {"HEAD"}) == named, f"{rule}: authz.yaml names {named}, the product has {methods}"


@pytest.mark.parametrize("part", range(PARTS))
def test_everyone_gets_what_the_oracle_says(app: flask.Flask, database: Any, part: int) -> None:
    """In parts, so that they share out over processes. By day two of the cast walk what adds nothing for the others: a
    method that the address doesn't take is refused before anybody is asked who they are, and HEAD is its GET without
    the text. At night all do."""
    book = oracle()
    never_mind_the_disk(app)
    with app.app_context(), transaction():
        cast = make_cast()
    world = World(app, with_couple(app, cast))
    unknown = {entry["of"] for entry in book["routes"].values() if "of" in entry} - known_objects().keys()
    assert not unknown, f"no objects_*.py makes {unknown}"
    mine = {rule: entry for n, (rule, entry) in enumerate(sorted(book["routes"].items())) if n % PARTS == part}
    cells = cells_of({**book, "routes": mine}, set(cast.everyone))
    if not IS_NIGHT:
        cells = [cell for cell in cells if tells_more(world, cell) or may_tell(cell)]
    if database.kind == "postgresql" and not IS_NIGHT:
        refused = [cell for cell in cells if not cell.may]
        sample = set(random.Random(13).sample(refused, min(REFUSED_ON_POSTGRESQL // PARTS, len(refused))))
        cells = [cell for cell in cells if cell.may or cell in sample]
    # What is refused changes nothing, so it goes first; of what is allowed, reading goes before writing.
    cells.sort(key=lambda cell: (cell.may, cell.method not in ("GET", "HEAD")))

    wrong = []
    for cell in cells:
        answer = ask(world, book["routes"][cell.rule], cell)
        if answer is not None:
            wrong.append(f"{cell}: {answer}")

    assert not wrong, f"{len(wrong)} of {len(cells)} cells are wrong:\n" + "\n".join(wrong[:60])


def tells_more(world: World, cell: Cell) -> bool:
    """Whether the address takes the method, and not as part of another."""
    return cell.method != "HEAD" and any(cell.method in (rule.methods or ()) for rule in world.rules.get(cell.rule, ()))


def may_tell(cell: Cell) -> bool:
    """Of what tells no more, the share that is asked by day as well."""
    return cell.member in ("manager", "stranger") and cell.method not in OF_CALENDARS


def never_mind_the_disk(app: flask.Flask) -> None:
    """Thousands of refusals each leave a line in the trail; here none of them has to survive a power cut."""
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            db.engine.dispose()
            sa.event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))


def ask(world: World, entry: dict[str, Any], cell: Cell) -> str | None:
    """What is wrong with the answer, or None."""
    path = path_of(world, entry, cell)
    if path is None:
        return None
    try:
        response = send(world, cell, path, entry)
    except Exception as fault:  # all of them are wanted in one list
        return f"a fault: {fault!r}"
    if response.status_code == 500:
        return "500, a fault"
    if said_yes(response) != cell.may:
        return (
            f"{'refused' if cell.may else 'allowed'} with {response.status_code} {response.headers.get('Location', '')}"
        )
    is_refused = response.status_code == 404 or (cell.method == "GET" and response.status_code == 403)
    if cell.method in ("GET", "POST") and cell.relation == "other" and is_refused:
        missing = path_of(world, entry, Cell(cell.rule, cell.method, "missing", cell.member, False))
        if missing is not None:
            twin = send(world, cell, missing, entry)
            if (masked(response, path), response.status_code) != (masked(twin, missing), twin.status_code):
                return "what is not theirs answers otherwise than what does not exist"
    return None


def path_of(world: World, entry: dict[str, Any], cell: Cell) -> str | None:
    """The address with its values filled in; None where the thing has no such relation."""
    values: dict[str, Any] = {}
    if "of" in entry:
        if cell.may and entry.get("used_up"):
            world.made.pop(entry["of"], None)
        relations = world.values_of(entry["of"])
        if cell.relation not in relations:
            return None
        values = relations[cell.relation]
    rule = rule_of(world, cell)
    built = rule.build({name: values[name] for name in rule.arguments}, append_unknown=False)
    assert built is not None, f"{cell.rule} can't be filled in with {values}"
    return built[1]


def rule_of(world: World, cell: Cell) -> Rule:
    """The rule that answers this method; of several at one address, the one that takes it."""
    here = world.rules[cell.rule]
    return next((rule for rule in here if cell.method in (rule.methods or ())), here[0])


def send(world: World, cell: Cell, path: str, entry: dict[str, Any]) -> Any:
    """Ask, in a session made for this question, with a token that is good for it."""
    return contextvars.Context().run(_send, world, cell, path, entry)


def _send(world: World, cell: Cell, path: str, entry: dict[str, Any]) -> Any:
    member: Member = world.cast.everyone[cell.member]
    client = world.app.test_client()
    client.inspects = False
    data = None
    client.set_cookie(world.cookie_name(forgery.cookie_name), "a-browser-that-has-been-here")
    unsafe = cell.method not in ("GET", "HEAD")
    token = sign_in_and_token(world, client, member, fresh=unsafe and cell.may)
    if unsafe:
        public = getattr(world.app.view_functions[rule_of(world, cell).endpoint], "access", None)
        good = anonymous_token(world) if public is None or public.audience == "public" else token
        data = {forgery.FIELD: good, **entry.get("data", {})}
    return client.open(path, method=cell.method, data=data)


def sign_in_and_token(world: World, client: Any, member: Member, *, fresh: bool) -> str:
    """A session of this member. What may change something gets one of its own: it may end it."""
    if not (member.is_staff or member.person_id):
        return anonymous_token(world)
    kind = SessionKind.STAFF if member.is_staff else SessionKind.APPLICANT
    if not fresh and member.key in world.sessions:
        cookie, token = world.sessions[member.key]
    else:
        cookie = open_session(world.app, member)
        token = token_of(world, cookie, kind)
        if not fresh:
            world.sessions[member.key] = cookie, token
    client.set_cookie(world.cookie_name(cookie_name, kind), cookie)
    return token


def token_of(world: World, cookie: str, kind: SessionKind) -> str:
    """What the pages of this session send with their forms."""
    with world.app.test_request_context():
        signed_in = find(cookie, kind, now=now_utc())
        if signed_in is None:
            return anonymous_token(world)
        forgery.bind_to(signed_in.binding)
        return forgery.token()


def anonymous_token(world: World) -> str:
    with world.app.test_request_context():
        forgery.bind_to("anonymous|a-browser-that-has-been-here")
        return forgery.token()


DOORS = ("/sign-in?next=", "/my/sign-in?next=")


def said_yes(response: Any) -> bool:
    if response.status_code in (401, 403, 404, 405):
        return False
    return not (300 <= response.status_code < 400 and response.headers["Location"].startswith(DOORS))


def masked(response: Any, path: str) -> bytes:
    """The page without what differs from one drawing of it to the next, and without its own address."""
    return TOKENS.sub(b"\\1", response.data).replace(path.encode(), b"")


@pytest.mark.parametrize("names", [["anyone"]])
def test_the_oracle_knows_everyone_of_the_cast(app: flask.Flask, cast: Cast, names: list[str]) -> None:
    assert members_of(names, oracle()["groups"]) == set(cast.everyone)
