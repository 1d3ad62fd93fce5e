"""What a program is told when something can\'t be done: problem details (RFC 9457), with the same words as the pages.

Only addresses under ``/api/`` are for programs.
"""

from __future__ import annotations

import json

from flask import Response, make_response, request

from crm.rules.refusal import Refusal

FOR_PROGRAMS = "/api/"
MIMETYPE = "application/problem+json"


class NotAsDescribed(Refusal):
    """What a program sent is not as the interface describes it. ``faults`` are pairs of a JSON pointer (RFC 6901) and
    what to put right there."""

    default_status = 422

    def __init__(self, message: str, *, faults: tuple[tuple[str, str], ...] = (), status: int | None = None) -> None:
        super().__init__(message, status=status)
        self.faults = faults


def is_wanted() -> bool:
    """Whether this request is a program\'s."""
    return request.path.startswith(FOR_PROGRAMS)


def problem(status: int, title: str, detail: str, faults: tuple[tuple[str, str], ...] = ()) -> Response:
    """The answer. Its ``type`` is left out, which by the standard means that the status says it all."""
    body: dict[str, object] = {"title": title, "status": status, "detail": detail}
    if faults:
        body["errors"] = [{"pointer": pointer, "detail": words} for pointer, words in faults]
    response = make_response(json.dumps(body, ensure_ascii=False) + "\n", status)
    response.headers["Content-Type"] = MIMETYPE
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
