"""Our own style and script files: small on the wire, and kept by browsers until they change.

An address carries a digest of the file's content, so a changed file has a new address. Text files are also kept
compressed in memory: on a slow phone the styles are most of what a first page weighs. Pages themselves are not
compressed here, because they hold what is private beside what somebody else may have written.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, abort, request

TEXT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A file as it was when it was last read."""

    changed_at: int
    address: str
    digest: str
    plain: bytes
    compressed: bytes


class Assets:
    """The files under ``static``, each read once (again after a change, while developing)."""

    def __init__(self, folder: Path, prefix: str, *, watch: bool) -> None:
        self.folder = folder.resolve()
        self.prefix = prefix
        self.watch = watch
        self._known: dict[str, Asset] = {}

    def read(self, name: str) -> Asset:
        """A file of ours. Raises FileNotFoundError for one we lack."""
        known = self._known.get(name)
        if known is not None and not self.watch:
            return known
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder) or not path.is_file():
            raise FileNotFoundError(name)
        changed_at = path.stat().st_mtime_ns
        if known is None or known.changed_at != changed_at:
            plain = path.read_bytes()
            digest = hashlib.sha256(plain).hexdigest()[:12]
            address = f"{self.prefix}/{name}?v={digest}"
            compressed = gzip.compress(plain, 9, mtime=0) if path.suffix in TEXT_TYPES else b""
            known = self._known[name] = Asset(changed_at, address, digest, plain, compressed)
        return known

    def address(self, name: str) -> str:
        """The address of a file: ``/static/brand.css?v=3f2a9c0d1e2b``."""
        return self.read(name).address

    def serve(self, filename: str) -> Response:
        """The view behind /static: headers of the edge and all."""
        kind = TEXT_TYPES.get(Path(filename).suffix)
        if kind is None or any(part.startswith(".") for part in Path(filename).parts):
            abort(404)
        try:
            asset = self.read(filename)
        except FileNotFoundError:
            abort(404)
        small = "gzip" in request.accept_encodings
        response = Response(asset.compressed if small else asset.plain, content_type=f"{kind}; charset=utf-8")
        if small:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        response.set_etag(asset.digest + ("-gzip" if small else ""))
        return response.make_conditional(request.environ)


def init_app(app: Flask) -> None:
    """Serve the files, and give templates ``asset(name)``."""
    watch = app.extensions["crm_settings"].env == "development"
    assets = Assets(Path(app.static_folder or ""), app.static_url_path or "/static", watch=watch)
    app.view_functions["static"] = assets.serve
    app.jinja_env.globals["asset"] = assets.address
