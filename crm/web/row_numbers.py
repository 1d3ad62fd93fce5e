"""Numbers of rows in addresses: one that no database could hold is a page that is not there."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import IntegerConverter

from crm.web.forms import WHOLE_NUMBER_LIMIT


class RowNumber(IntegerConverter):
    """``<int:event_id>``, up to what a column of whole numbers takes."""

    def __init__(self, *args: object, **options: object) -> None:
        options.setdefault("max", WHOLE_NUMBER_LIMIT)
        super().__init__(*args, **options)  # type: ignore[arg-type]


def init_app(app: Flask) -> None:
    """Before any route is added."""
    app.url_map.converters["int"] = RowNumber
