"""What a browser is given: nothing that only the government may use, nothing bigger than a slow phone can bear."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

import hatch_build
from tests.house_rules.sources import PACKAGE, ROOT

STATIC = PACKAGE / "static"
VENDOR = STATIC / "vendor"
TEMPLATES = ROOT / "templates"
FIRST_VIEW_BYTES = 60_000
LARGEST_PAGE_BYTES = 30_000
"""Of HTML, before compression (interface.md: the first view and its HTML)."""


def test_what_set_up_fetched_is_here() -> None:
    assert (VENDOR / ".stamp").exists(), "run `make setup`: the browser parts have not been fetched"


def test_nothing_that_only_the_government_may_use_is_shipped() -> None:
    for path in [*VENDOR.glob("*.css"), *VENDOR.glob("*.js")]:
        hatch_build.check_clean(path.name, path.read_text(encoding="utf-8"))
    assert {path.suffix for path in VENDOR.iterdir()} <= {".css", ".js", ".txt", ""}


@pytest.mark.parametrize(
    "left", ["body{font-family:GDS Transport,arial}", "a{background:url(/assets/images/x.svg)}", "@font-face{src:x}"]
)
def test_a_trace_of_it_fails_the_build(left: str) -> None:
    with pytest.raises(hatch_build.BuildFailed):
        hatch_build.check_clean("a.css", left)


def test_rules_of_blocks_that_are_not_kept_are_left_out() -> None:
    button = '@media (min-width:1em){.govuk-button:not(.govuk-tabs){content:"}"}}'
    tabs = "@media print{.govuk-tabs{color:red}}"
    css = f":root{{--a:1}}.govuk-tabs__list,.govuk-button:hover{{color:red}}{tabs}{button}"

    kept = hatch_build.kept_rules(css, lambda block: block != "govuk-tabs")

    assert kept == f":root{{--a:1}}.govuk-button:hover{{color:red}}{button}"


def test_the_lock_names_no_host() -> None:
    for name in ("package-lock.json", "constraints.txt", "constraints-test.txt", ".npmrc"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8"), name


def loaded_by(layout: Path) -> list[Path]:
    """The styles and scripts that a layout loads, and what those scripts import."""
    text = layout.read_text(encoding="utf-8") + (TEMPLATES / "layouts" / "base.html").read_text(encoding="utf-8")
    files = [STATIC / name for name in dict.fromkeys(re.findall(r"asset\(['\"]([^'\"]+\.(?:css|js))['\"]\)", text))]
    for script in [file for file in files if file.suffix == ".js"]:
        files += [script.parent / name for name in re.findall(r"from '(\./[^']+)'", script.read_text(encoding="utf-8"))]
    return files


def test_what_our_scripts_import_is_here() -> None:
    for script in STATIC.glob("*.js"):
        for name in re.findall(r"from '(\./[^']+)'", script.read_text(encoding="utf-8")):
            assert (script.parent / name).is_file(), (
                f"{script.name} imports {name}: after an update, name the new version"
            )


def test_the_first_view_of_a_public_page_is_small() -> None:
    files = loaded_by(TEMPLATES / "layouts" / "public.html")

    sizes = {file.name: len(gzip.compress(file.read_bytes(), 9)) for file in files}

    assert len(sizes) >= 5, "the layout was read wrongly"
    assert sum(sizes.values()) + LARGEST_PAGE_BYTES / 4 <= FIRST_VIEW_BYTES, sizes


# --- Templates --------------------------------------------------------------------------------------------------------

PAGES = [path for path in sorted(TEMPLATES.rglob("*.html")) if path.relative_to(TEMPLATES).parts[0] != "email"]
SAID_NOWHERE = re.compile(r"\b(successfully|invalid|please note)\b", re.IGNORECASE)
HOOKS = {"govuk-frontend-supported", "govuk-template", "govuk-form-group--error"}


def blocks_in(css: str) -> set[str]:
    return {block for head, body in every_rule(css) if body is not None for block in hatch_build.blocks(head)}


def every_rule(css: str):  # type: ignore[no-untyped-def]
    for head, body in hatch_build.rules(css):
        if body is not None and head.startswith(("@media", "@supports")):
            yield from every_rule(body)
        else:
            yield head, body


def template_faults(text: str, known: set[str], public: set[str] | None = None) -> list[str]:
    """What a template does that our content security policy refuses, or names that no style sheet has."""
    markup = re.sub(r"\{#.*?#\}", "", text, flags=re.S)
    found = []
    if re.search(r"<[^>]*\sstyle=", markup) or "<style" in markup:
        found.append("is styled in the page")
    if re.search(r"<script(?![^>]*\bsrc=)", markup):
        found.append("has a script in the page")
    if re.search(r"<[a-z][^>]*\son[a-z]+\s*=", markup):
        found.append("has an event handler in the page")
    if SAID_NOWHERE.search(re.sub(r"<[^>]*>", "", re.sub(r"\{[%{].*?[%}]\}", "", markup, flags=re.S))):
        found.append("says a word that we don't say")
    for name in set(re.findall(r"(?<![\w/.-])((?:govuk|moj)-[a-zA-Z0-9_!-]+[a-zA-Z0-9])", markup)) - HOOKS:
        block = re.split(r"__|--", name)[0]
        if "!" in block or name.startswith(("govuk-frontend", "moj-frontend", "govuk-js-")):
            continue
        if block not in known:
            found.append(f"uses {name}, which no style sheet has")
        elif public is not None and block not in public:
            found.append(f"uses {name}, which public pages don't load")
    return found


def style_blocks(*names: str) -> set[str]:
    return {block for name in names for block in blocks_in((VENDOR / name).read_text(encoding="utf-8"))}


def test_templates_use_what_is_loaded_and_nothing_inline() -> None:
    known = style_blocks("govuk-frontend.min.css", "moj-frontend.min.css")
    public = style_blocks("govuk-public.min.css")
    found = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        is_public = 'extends "layouts/public.html"' in text
        name = path.relative_to(TEMPLATES)
        found += [f"{name} {fault}" for fault in template_faults(text, known, public if is_public else None)]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        '<p style="color:red">',
        "<script>go()</script>",
        '<a href="/" onclick="go()">',
        "<p>Saved successfully</p>",
        '<div class="govuk-tabs">',
        '<div class="moj-filter">',
    ],
)
def test_a_bad_template_is_caught(text: str) -> None:
    known = style_blocks("govuk-frontend.min.css", "moj-frontend.min.css")

    assert template_faults(text, known, style_blocks("govuk-public.min.css"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_a_template_names_only_templates_that_exist(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.S)

    named = re.findall(r"\{%-?\s*(?:extends|include|import|from)\s+[\"']([^\"']+)[\"']", text)

    assert [name for name in named if not (TEMPLATES / name).exists()] == []
