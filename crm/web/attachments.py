"""A file that is handed out to be saved and never shown: nothing in it runs where our pages do."""

from __future__ import annotations

from flask import Response, make_response


def attachment(content: bytes, media: str, name: str) -> Response:
    """The answer that gives a file out. ``name`` is ours: letters, digits, hyphens and a dot."""
    response = make_response(content)
    response.headers["Content-Type"] = media
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
