"""Programs written in JavaScript, driven by the tests: tsdav (a CalDAV client) and ical.js (Thunderbird's reader).

Set-up for tests fetches them (``python -m tests.calendars.javascript``) as set-up fetches the browser parts: by npm, in
the versions and with the sums of package-lock.json. Node comes with the test tools; nothing of this is shipped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import hatch_build

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
STAMP = MODULES / ".stamp"


def fetch() -> None:
    """Fill node_modules, unless it holds what package-lock.json names already."""
    if is_fetched():
        return
    with tempfile.TemporaryDirectory(prefix="doorstep-programs-") as work:
        source = Path(work) / "source"
        source.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, source / name)
        shutil.copy(Path(hatch_build.__file__).parent / ".npmrc", source / ".npmrc")
        built = Path(work) / "built"
        built.mkdir()
        made = hatch_build.fetch(source, built)
        shutil.rmtree(MODULES, ignore_errors=True)
        shutil.move(made, MODULES)
    STAMP.write_text(_sum())


def is_fetched() -> bool:
    return STAMP.exists() and STAMP.read_text() == _sum()


def _sum() -> str:
    return hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()


class Programs:
    """One process of Node with both programs in it, asked a thing at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [hatch_build.npm()[0], str(HERE / "programs.mjs")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, question: dict[str, Any]) -> Any:
        """What the program answers; its fault fails the test."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the program ended"
        said = json.loads(line)
        assert "fault" not in said, said["fault"]
        return said.get("answer")

    def call(self, name: str, **given: Any) -> Any:
        """What tsdav's client says to a call of this name."""
        return self.ask({"call": name, "with": given})

    def read(self, text: str) -> Any:
        """What ical.js reads in a text."""
        return self.ask({"read": text})

    def end(self) -> None:
        self._process.communicate(timeout=20)
