"""Our own style and script files: their addresses carry a digest of their content, so that browsers may keep them."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, current_app


@lru_cache(maxsize=256)
def _digest(path: str, _changed_at: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def init_app(app: Flask) -> None:
    """Add ``v=<digest>`` to every address made with url_for('static', …)."""
    folder = Path(app.static_folder or "")

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint != "static" or "v" in values:
            return
        path = folder / values.get("filename", "")
        try:
            values["v"] = _digest(
                str(path), path.stat().st_mtime_ns if not current_app.config.get("FROZEN_ASSETS") else 0
            )
        except OSError:
            return
