"""How a page is looked at in a browser: at the width of a phone and of a desk, by axe, and for what sticks out."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, ViewportSize

IS_NIGHT = os.environ.get("CRM_TEST_TIER") == "night"
HEIGHTS = {320: 640, 360: 740, 768: 1024, 1280: 900}
AXE = Axe()
LOOK = """async ([reads, looksAtColours]) => {
    const rules = looksAtColours ? {} : {"color-contrast": {enabled: false}};
    // Styles are wanted only by a rule that is off, and are else read anew each time.
    const options = {resultTypes: ["violations"], preload: {assets: ["media"]}, rules};
    const found = reads ? await axe.run(document, options) : {violations: []};
    const wide = document.scrollingElement.scrollWidth, room = document.documentElement.clientWidth;
    const named = element => element.tagName.toLowerCase() + "." + element.className;
    const widest = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > room + 1);
    return [
        ...found.violations.map(rule => `${rule.id} (${rule.impact}): ${rule.help}: ` +
            rule.nodes.slice(0, 3).map(node => node.target.join(" ") + " " + (node.failureSummary || "")).join("; ")),
        // A page that scrolls sideways loses its right-hand edge on a phone.
        ...(wide > room ? [`the page is ${wide} px wide in ${room} px: ${widest.slice(0, 5).map(named)}`] : []),
    ];
}"""


def pictures_of(item: pytest.Item) -> Path | None:
    """Where the pictures of a test are kept: in the folder that CRM_TEST_PICTURES names, if it names one."""
    folder = os.environ.get("CRM_TEST_PICTURES")
    return Path(folder) / re.sub(r"[^a-zA-Z0-9_-]+", "-", item.name).strip("-") if folder else None


def where_colours_are_compared(widths: tuple[int, ...], *, on: str) -> tuple[int, ...]:
    """Of the widths at which very many pages are looked at. No colour of ours depends on the width, so by day each long
    walk compares them at one: the journey ``on`` the desk, where more of a page is open, the walk through every state
    on the phone."""
    return widths if IS_NIGHT else widths[-1:] if on == "desk" else widths[:1]


def look_at(
    page: Page,
    name: str,
    *,
    widths: tuple[int, ...],
    pictures: Path | None,
    with_axe: bool = True,
    colours_at: tuple[int, ...] | None = None,
) -> None:
    """Axe finds nothing and nothing sticks out, at each of these widths. The page is as wide afterwards as before.

    ``colours_at`` are the widths at which colours are compared, which is most of axe's work; all of them if not given.
    """
    before = page.viewport_size
    try:
        for width in widths:
            be_as_wide(page, {"width": width, "height": HEIGHTS.get(width, 900)})
            if pictures:
                pictures.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=pictures / f"{name}-{width}.png", full_page=True)
            colours = colours_at is None or width in colours_at
            problems = problems_of(page, with_axe=with_axe, with_colours=colours)
            assert not problems, f"{name} ({page.url}) at {width} px:\n  " + "\n  ".join(problems)
    finally:
        if before:
            be_as_wide(page, before)


def be_as_wide(page: Page, size: ViewportSize) -> None:
    if page.viewport_size != size:
        page.set_viewport_size(size)


def problems_of(page: Page, *, with_axe: bool, with_colours: bool = True, tries: int = 3) -> list[str]:
    """What is seen. A page that was just about to give way to the next is looked at again once that is there."""
    page.wait_for_load_state()
    try:
        if with_axe and not page.evaluate("'axe' in window"):
            page.evaluate(AXE.axe_script)
        return list(page.evaluate(LOOK, [with_axe, with_colours]))
    except PlaywrightError:
        if tries == 1:
            raise
        return problems_of(page, with_axe=with_axe, with_colours=with_colours, tries=tries - 1)
