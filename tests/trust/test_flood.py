"""One address floods the public form and everybody else is served: the public half of G24, on the real thing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import Any

import pytest

from tests.service import Service
from tests.trust.public_form import Browser

FLOODERS = 4
CALM_S = {True: 1.0, False: 5.0}
"""Within how long the other address is answered: by night, on a quiet machine, as promised; by day, among other tests,
as long as it is served at all."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_flood_from_one_address_holds_up_nobody_at_another(
    start_service: Callable[..., Service], cast: Any, rounds: Callable[[int, int], int]
) -> None:
    service = start_service()
    lasts, every = rounds(4, 60), rounds(1, 5)
    is_night = lasts > 4
    over = time.monotonic() + lasts
    flood: list[int] = []

    def pour(number: int) -> None:
        browser = Browser(lambda: service.port, source="127.0.0.9")
        while time.monotonic() < over:
            with suppress(OSError, HTTPException, AssertionError):
                browser.forget_enquiry()
                answer = browser.post("/enquire/name", given_name="Spam", family_name=f"Flood{number}")
                flood.append(answer.status)

    flooders = [threading.Thread(target=pour, args=(number,)) for number in range(FLOODERS)]
    for one in flooders:
        one.start()
    taken: list[float] = []
    number = 0
    while time.monotonic() < over:
        person = Browser(lambda: service.port, source="127.0.0.1")
        number += 1
        person.fill_in(f"Calm{number}")
        began = time.monotonic()
        answer = person.send(f"calm-and-kind-{number:04d}")
        taken.append(time.monotonic() - began)
        assert (answer.status, answer.headers["Location"]) == (303, "/enquire/done")
        assert "will write to you" in person.get("/enquire/done").text
        time.sleep(max(0.0, min(every, over - time.monotonic())))
    for one in flooders:
        one.join()

    assert taken
    assert flood
    assert max(taken) < CALM_S[is_night], sorted(taken)[-3:]
    assert set(flood) <= {303, 429}
