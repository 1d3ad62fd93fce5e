"""What a browser does in a race to begin a draft."""

from __future__ import annotations

import contextvars
from typing import Any

import flask

from tests.racers import Job, Result


def act(job: Job) -> Result:
    """One request of a browser that has the page and no token yet."""
    app = flask.current_app._get_current_object()  # type: ignore[attr-defined]

    def send() -> Any:
        client = app.test_client()
        client.set_cookie("form", job["form"])
        return client.post(job["op"], data=job["data"])

    # In a context of its own, as in a server.
    answer = contextvars.Context().run(send)
    return {"what": answer.status_code, "cookies": answer.headers.getlist("Set-Cookie")}
