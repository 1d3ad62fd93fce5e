"""Put first on the path of a service, this has it answer before it commits: what the test of kills must notice."""

from __future__ import annotations

import threading
import time
from typing import Any

from flask import Response, copy_current_request_context, make_response, request

from crm.db import transaction
from crm.web import once, writes

COMMITS_AFTER_S = 0.3
real = writes._commit


def hasty(inner: Any, args: Any, kwargs: Any, versions: bool, own_ids: bool) -> Response:
    """The answer at once, from work that is thrown away; the same work again, to be kept, a moment later."""
    if request.endpoint != "enquire.check":
        return real(inner, args, kwargs, versions, own_ids)
    try:
        with transaction():
            once.begin(versions=versions)
            raise writes._NotKept(make_response(inner(*args, **kwargs)))
    except writes._NotKept as done:
        response = done.response

    @copy_current_request_context
    def keep() -> None:
        time.sleep(COMMITS_AFTER_S)
        real(inner, args, kwargs, versions, own_ids)

    threading.Thread(target=keep).start()
    return response


writes._commit = hasty
