"""Our own style and script files: their addresses carry a digest of their content, so that browsers may keep them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Flask


class Assets:
    """Addresses of files under ``static``, each worked out once (again after a change, while developing)."""

    def __init__(self, folder: Path, prefix: str, *, watch: bool) -> None:
        self.folder = folder
        self.prefix = prefix
        self.watch = watch
        self._known: dict[str, tuple[int, str]] = {}

    def address(self, name: str) -> str:
        """The address of a file: ``/static/brand.css?v=3f2a9c0d1e2b``. Raises FileNotFoundError for one we lack."""
        known = self._known.get(name)
        if known is not None and not self.watch:
            return known[1]
        path = self.folder / name
        changed_at = path.stat().st_mtime_ns
        if known is None or known[0] != changed_at:
            version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            known = self._known[name] = (changed_at, f"{self.prefix}/{name}?v={version}")
        return known[1]


def init_app(app: Flask) -> None:
    """Give templates ``asset(name)``."""
    watch = app.extensions["crm_settings"].env == "development"
    assets = Assets(Path(app.static_folder or ""), app.static_url_path or "/static", watch=watch)
    app.jinja_env.globals["asset"] = assets.address
