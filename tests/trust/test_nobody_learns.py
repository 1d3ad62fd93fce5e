"""Nobody can learn from a page whether we know an address, or what a link was (G25): the same answer; and by night, in
the same time."""

from __future__ import annotations

import gc
import math
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crm.access import passwords
from crm.access.models import User
from crm.cases.contact_links import CONFIRM_GOOD_FOR, STOP_GOOD_FOR, confirm_link, stop_link
from crm.cases.models import Person
from crm.cases.open_case import NewPerson
from crm.clock import now_utc
from crm.db import db, transaction
from crm.enquiries import drafts
from crm.events import places, planning, publishing
from crm.events.models import EventSignUp, RecruitmentEvent
from crm.events.places import NewSignUp
from crm.rules.permissions import PUBLIC
from tests.case_factory import make_case
from tests.conftest import PageClient, PageResponse
from tests.enquiries.test_public_form import ANSWERS, fill_in
from tests.events.test_places import PLAN
from tests.factories import PASSWORD, Cast, Member, make_user

NOW = "2026-06-20 09:00"
NOBODYS = "nobody.at.all@example.org"
CHANGES_EACH_TIME = (
    re.compile(r'name="(?:csrf_token|one_time_id|page_drawn|seen)" value="[^"]*"'),
    re.compile(r"\bKF-[0-9A-Z]{6}\b"),
)
HEADERS_THAT_CHANGE = ("Content-Length", "Set-Cookie")


@dataclass(frozen=True)
class World:
    """An event, and whose addresses we know and how."""

    event: str
    addresses: dict[str, str]


@pytest.fixture
def world(app: Any, session: Any, cast: Cast, freeze: Callable[[str], Any]) -> World:
    freeze(NOW)
    now = now_utc()
    with transaction():
        given = {"actor": cast.recruiter.actor, "now": now}
        event = planning.create_event(**{**PLAN, "capacity": 200}, **given)
        publishing.publish(event, **given)
        for name in ("coming", "given.up"):
            row = places.sign_up(
                event, NewSignUp(people=[NewPerson(given_name="Ama", email=f"{name}@example.org")]), actor=PUBLIC,
                now=now,
            )  # fmt: skip
        places.cancel_sign_up(row, actor=PUBLIC, now=now)
        for name in ("enquirer", "stopped"):
            case = make_case(cast, people=[NewPerson(given_name="Bo", family_name="Ng", email=f"{name}@example.org")])
            case.household.people[0].no_contact = name == "stopped"
        path = f"/events/{event.slug}"
    session.remove()
    known = {
        "nobody": NOBODYS,
        "coming": "coming@example.org",
        "gave their place up": "given.up@example.org",
        "an enquirer": "enquirer@example.org",
        "somebody who wants no letters": "stopped@example.org",
        "staff": cast.officer.email,
        "an administrator": cast.administrator.email,
        "staff who left": cast.disabled.email,
    }
    return World(path, known)


# --- What a page does with an address ---------------------------------------------------------------------------------

Ask = Callable[[PageClient, World, str], list[PageResponse]]


def sign_up(client: PageClient, world: World, email: str) -> list[PageResponse]:
    page = client.get(world.event).page
    sent = client.submit(page, field="given_name", given_name="Ama", email=email, second_given_name="Yaw")
    return [sent, client.get(sent.location), client.get(world.event)]


def save_and_return(client: PageClient, _world: World, email: str) -> list[PageResponse]:
    client.submit(client.get("/enquire/postcode").page, button="Continue", postcode="BR1")
    return [client.submit(client.get("/enquire/later").page, button="Make a link", email=email)]


def enquire(client: PageClient, _world: World, email: str) -> list[PageResponse]:
    fill_in(client, contact={**ANSWERS["contact"], "email": email})
    sent = client.submit(client.get("/enquire/check").page, button="Send my answers")
    return [sent, client.get(sent.location)]


def forget_password(client: PageClient, _world: World, email: str) -> list[PageResponse]:
    return [client.submit(client.get("/forgotten-password").page, field="email", email=email)]


def guess_password(client: PageClient, _world: World, email: str) -> list[PageResponse]:
    page = client.get("/sign-in").page
    return [client.submit(page, button="Sign in", email=email, password="not the password")]


ASKED: dict[str, Ask] = {
    "a place at an event": sign_up,
    "a link to come back by": save_and_return,
    "an enquiry": enquire,
    "a new password": forget_password,
    "signing in": guess_password,
}


def shape(answer: PageResponse, email: str) -> tuple[Any, ...]:
    """All that whoever asked can see, but what differs at each request."""
    body = answer.text.replace(email, "AN ADDRESS")
    for pattern in CHANGES_EACH_TIME:
        body = pattern.sub("", body)
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in HEADERS_THAT_CHANGE)
    return answer.status_code, body, tuple(headers)


@pytest.mark.parametrize("what", ASKED)
def test_the_answer_is_the_same_whoever_the_address_belongs_to(app: Any, world: World, what: str) -> None:
    seen: dict[str, list[tuple[Any, ...]]] = {}
    for who, email in world.addresses.items():
        seen[who] = [shape(answer, email) for answer in ASKED[what](app.test_client(), world, email)]

    assert [who for who, shapes in seen.items() if shapes != seen["nobody"]] == []


def test_the_second_of_a_party_is_taken_the_same_whoever_they_are(app: Any, world: World) -> None:
    """Somebody who changes their place writes another's address: the answer doesn't say whether it has a place too."""
    seen = {}
    for who, email in world.addresses.items():
        with app.app_context(), transaction():
            event = db.session.scalars(sa.select(RecruitmentEvent)).one()
            me = NewPerson(given_name="Esi", email=f"esi.{len(seen)}@example.org")
            token = places.sign_up(event, NewSignUp(people=[me]), actor=PUBLIC, now=now_utc()).link_token or ""
        client = app.test_client()
        path = f"/events/my-place/{token}"
        sent = client.submit(client.get(path).page, field="needs", second_given_name="Yaw", second_email=email)
        shapes = [shape(answer, email) for answer in (sent, client.get(path))]
        seen[who] = [(status, body.replace(token, "A SECRET")) for status, body, _ in shapes]

    assert [who for who, shapes in seen.items() if shapes != seen["nobody"]] == []


# --- What a link that is none says ------------------------------------------------------------------------------------


@pytest.fixture
def dead_links(app: Any, session: Any, cast: Cast, world: World, freeze: Callable[..., Any]) -> dict[str, list[str]]:
    """Addresses by page, of links that never were and of those that ended, each for another reason."""
    moment = now_utc()
    with transaction():
        row = session.scalars(sa.select(EventSignUp).order_by(EventSignUp.id)).first()
        renewed = row.link_token
        places.renew_link(row, actor=cast.recruiter.actor, now=moment)
        ended = row.link_token
        person = session.scalars(sa.select(Person).where(Person.email == "enquirer@example.org")).one()
        stops = stop_link(person, now=moment).rpartition("/")[2]
        confirms = confirm_link(person, address_key=person.email_key, now=moment).rpartition("/")[2]
        replaced_draft, sent_draft, old_draft = (drafts.begin_draft(now=moment)[0] for _ in range(3))
        session.flush()
        replaced, sent, old = (drafts.make_link(one, now=moment) for one in (replaced_draft, sent_draft, old_draft))
        drafts.make_link(replaced_draft, now=moment)
        sent_draft.link_hash = sent_draft.link_ends_at = None
    session.remove()
    freeze(moment + max(STOP_GOOD_FOR, CONFIRM_GOOD_FOR, drafts.LINK_LIFE, timedelta(days=90)) + timedelta(days=1))
    never, short = "x" * 43, "cut-short"
    return {
        "/events/my-place/{}": [never, short, renewed, ended],
        "/events/my-place/{}/give-up": [never, short, renewed, ended],
        "/events/my-place/{}/come-after-all": [never, short, renewed, ended],
        "/enquire/return/{}": [never, short, replaced, sent, old],
        "/stop/{}": ["x" * 32, short, stops, confirms],
        "/confirm-email/{}": ["x" * 32, short, stops, confirms],
    }


def test_a_link_that_ended_is_answered_like_one_that_never_was(app: Any, dead_links: dict[str, list[str]]) -> None:
    client = app.test_client()
    client.inspects = False
    token = client.get("/enquire/name").page.form(button="Continue").filled("Continue")["csrf_token"]
    told_apart = []
    for path, secrets in dead_links.items():
        for method in ("GET", "POST"):
            if method == "GET" and path.endswith(("give-up", "come-after-all")):
                continue
            seen = set()
            for secret in secrets:
                answer = client.open(path.format(secret), method=method, data={"csrf_token": token})
                status, body, headers = shape(answer, secret)
                seen.add((status, body.replace(secret, "A SECRET"), headers))
            if len(seen) != 1 or {status for status, _, _ in seen} != {404}:
                told_apart.append((method, path, len(seen), {status for status, _, _ in seen}))

    assert told_apart == []


# --- Time -------------------------------------------------------------------------------------------------------------

TRIES = 200
NEAR_ENOUGH_S = 0.005
CHANCE = 0.01


def chance_that_they_are_alike(one: list[float], other: list[float]) -> float:
    """Two-sided p of the rank-sum test of Mann and Whitney, by the normal approximation: fine above twenty each."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks = [rank for rank, (_, which) in enumerate(ranked, start=1) if which == 0]
    n, m = len(one), len(other)
    u = sum(ranks) - n * (n + 1) / 2
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(u - n * m / 2) / deviation / math.sqrt(2))


def test_the_comparison_of_times_can_tell_apart_and_can_not() -> None:
    quick, slow = [0.010 + n * 1e-5 for n in range(TRIES)], [0.020 + n * 1e-5 for n in range(TRIES)]

    assert chance_that_they_are_alike(quick, slow) < CHANCE
    assert chance_that_they_are_alike(quick[::2], quick[1::2]) > CHANCE


@pytest.mark.night
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "what", ["a place at an event", "a place asked for over and over", "a link to come back by", "signing in"]
)
def test_the_answer_takes_the_same_time_whether_or_not_we_know_the_address(
    make_app: Any, world: World, what: str
) -> None:
    """Two hundred of each, turn and turn about, each from an address of the internet of its own."""
    app = make_app(argon2_cheap=False)

    for attempt in range(2):
        times = timed(app, what, world, *addresses_to_try(app, what, attempt))
        apart = abs(statistics.median(times[0]) - statistics.median(times[1]))
        if apart < NEAR_ENOUGH_S or chance_that_they_are_alike(*times) > CHANCE:
            return
    raise AssertionError(f"{what}: medians {apart * 1000:.1f} ms apart")


def addresses_to_try(app: Any, what: str, attempt: int) -> tuple[list[str], list[str]]:
    """As many that we know as that we don't, each used once: what is sent to one twice is held back."""
    known = [f"known.{attempt}.{number}@example.org" for number in range(TRIES)]
    with app.app_context(), transaction():
        if what == "signing in":
            for email in known:
                assert make_user(Member(email.partition("@")[0], "Kim Known")).email == email
            # As slow as at a service: the cast's are hashed cheaply.
            db.session.execute(sa.update(User).values(password_hash=passwords.hash_password(PASSWORD, cheap=False)))
        else:
            event = db.session.scalars(sa.select(RecruitmentEvent)).one()
            event.capacity = 10 * TRIES
            db.session.flush()
            for email in known:
                person = NewPerson(given_name="Kim", email=email)
                # Somebody who asked twice has had their letters of this hour: no other is written.
                for _ in range(2 if what == "a place asked for over and over" else 1):
                    places.sign_up(event, NewSignUp(people=[person]), actor=PUBLIC, now=now_utc())
    return known, [f"unknown.{attempt}.{number}@example.org" for number in range(TRIES)]


def timed(app: Any, what: str, world: World, known: list[str], unknown: list[str]) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    gc.disable()
    try:
        for number, pair in enumerate(zip(known, unknown, strict=True)):
            # Which of the two comes first changes, so that neither always finds what the other has warmed.
            for which in (0, 1) if number % 2 else (1, 0):
                times[which].append(one_answer(app, what, world, pair[which], number))
    finally:
        gc.enable()
    return times


def one_answer(app: Any, what: str, world: World, email: str, number: int) -> float:
    """How long the one request took that has the address in it."""
    client = app.test_client()
    client.inspects = False
    client.environ_base["REMOTE_ADDR"] = f"198.51.{100 + number // 250}.{number % 250}"
    if what.startswith("a place"):
        path, answers = world.event, {"given_name": "Ama", "email": email}
    elif what == "signing in":
        path, answers = "/sign-in", {"email": email, "password": PASSWORD + "!"}
    else:
        client.submit(client.get("/enquire/postcode").page, button="Continue", postcode="BR1")
        path, answers = "/enquire/later", {"email": email}
    page = client.get(path).page
    data = page.form(field="email").filled(None, **answers)
    began = time.perf_counter()
    answer = client.post(path, data=data)
    took = time.perf_counter() - began
    assert answer.status_code < 500
    return took
