"""A person at a browser, who finds things by the words on them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import date

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page, expect

from tests.factories import PASSWORD, Member

NUMBERS = re.compile(r"\d+")
REFERENCE = re.compile(r"\b[A-Z]{2}-[0-9A-Z]{6}\b")


class DeadEnd(AssertionError):
    """What a person needs to go on is not on the page."""


class Person:
    """Somebody at their own browser. Every page they come to is looked at once, on a phone and on a desk.

    ``looks_at`` is called with the page and a name for it, once for each sort of page in the state it is in.
    """

    def __init__(self, page: Page, name: str, looks_at: Callable[[Page, str], None] | None, seen: set[str]) -> None:
        self.page = page
        self.name = name
        self.looks_at = looks_at
        self.seen = seen
        self.acts = 0
        page.set_default_timeout(20_000)

    # --- moving about

    def visits(self, address: str) -> Person:
        """Type an address, as on a bookmark. Only for the first page of somebody's day."""
        self.page.goto(address)
        self._arrived()
        return self

    def press(
        self, words: str, *, within: str | None = None, exact: bool = False, nth: int = 0, sends_first: bool = False
    ) -> Person:
        """Press the button or link that says this. A page that ``sends_first`` what it keeps goes on a moment later."""
        target = self._control(words, within=within, exact=exact, nth=nth)
        self.acts += 1
        if sends_first:
            with self.page.expect_navigation(wait_until="domcontentloaded"):
                target.click()
        else:
            target.click()
        self.page.wait_for_load_state("domcontentloaded")
        self._arrived()
        return self

    def _control(self, words: str, *, within: str | None = None, exact: bool = False, nth: int = 0) -> Locator:
        place: Page | Locator = self.page if within is None else self.region(within)
        found = place.get_by_role("button", name=words, exact=exact).or_(
            place.get_by_role("link", name=words, exact=exact)
        )
        try:
            found.nth(nth).wait_for(timeout=10_000)
        except PlaywrightError:
            raise DeadEnd(f"{self.name} finds no “{words}” on {self.page.url}:\n{self.main()}") from None
        return found.nth(nth)

    def region(self, words: str) -> Locator:
        """A panel of the page by its heading."""
        return (
            self.page.locator("section, aside, form, fieldset")
            .filter(has=self.page.get_by_role("heading", name=words))
            .first
        )

    def opens(self, words: str, nth: int = 0) -> Person:
        """Open a part of the page that is folded away."""
        self.page.locator("summary", has_text=words).nth(nth).click()
        return self

    # --- filling in

    def writes(self, label: str, text: str, *, within: str | None = None, nth: int = 0) -> Person:
        place: Page | Locator = self.page if within is None else self.region(within)
        self.acts += 1
        # By its accessible name first: a label may show the key that leads to its box as well.
        box = place.get_by_role("textbox", name=label, exact=True).or_(place.get_by_label(label, exact=True))
        box.nth(nth).fill(text)
        return self

    def chooses(self, answer: str, question: str | None = None, *, exact: bool = True) -> Person:
        """Choose a radio button or tick a box, by its words; by its question too where the words come twice."""
        place: Page | Locator = self.page if question is None else self.page.get_by_role("group", name=question).first
        self.acts += 1
        found = place.get_by_role("radio", name=answer, exact=exact).or_(
            place.get_by_role("checkbox", name=answer, exact=exact)
        )
        try:
            found.first.check(force=True, timeout=10_000)
        except PlaywrightError:
            raise DeadEnd(f"{self.name} can’t choose “{answer}” on {self.page.url}:\n{self.main()}") from None
        return self

    def picks(self, label: str, answer: str, *, nth: int = 0) -> Person:
        self.acts += 1
        self.page.get_by_role("combobox", name=label, exact=True).nth(nth).select_option(label=answer)
        return self

    def dates(self, question: str, on: date | str, nth: int = 0) -> Person:
        """Write a date into its three boxes."""
        on = date.fromisoformat(on) if isinstance(on, str) else on
        group = self.page.get_by_role("group", name=question, exact=True).nth(nth)
        self.acts += 1
        for part, number in (("Day", on.day), ("Month", on.month), ("Year", on.year)):
            group.get_by_label(part, exact=True).fill(str(number))
        return self

    # --- reading

    def text(self) -> str:
        return self.page.locator("body").inner_text()

    def main(self) -> str:
        """What the page says below its bar, for the message of a failed test."""
        main = self.page.locator("main")
        return (main.first.inner_text() if main.count() else self.text())[:1500]

    def sees(self, *words: str) -> Person:
        for one in words:
            try:
                expect(self.page.locator("body")).to_contain_text(one, use_inner_text=True, timeout=8_000)
            except AssertionError:
                raise AssertionError(f"{self.name} does not see “{one}” on {self.page.url}:\n{self.main()}") from None
        return self

    def sees_not(self, *words: str) -> Person:
        for one in words:
            assert one not in self.text(), f"{self.name} sees “{one}” on {self.page.url}"
        return self

    @property
    def reference(self) -> str:
        """The reference of the household whose page is open."""
        found = REFERENCE.search(self.page.url)
        assert found, f"{self.page.url} is not the page of a household"
        return found[0]

    # --- every page is looked at

    def _arrived(self) -> None:
        if self.page.url.endswith(".csv") or self.page.url == "about:blank":
            return
        heading = self.page.locator("h1").first
        title = heading.inner_text() if heading.count() else self.page.title()
        path = "/" + self.page.url.split("/", 3)[-1].split("?")[0].split("#")[0]
        path = NUMBERS.sub("n", REFERENCE.sub("ref", path))
        standing = self.page.locator(".ds-case__facts div").nth(1)
        stage = standing.inner_text().replace("\n", " ") if path == "/cases/ref" and standing.count() else ""
        problems = "error" if self.page.locator(".govuk-error-summary").count() else ""
        if path == "/cases/ref":
            key = f"{path} {stage} {problems}"
        elif path.startswith("/cases/ref/checks/"):
            key = f"{path} {problems}"
        else:
            # The panels on a page tell its states apart: before and after a meeting, a notice, a recommendation.
            panels = " ".join(one for one in self.page.locator("h2").all_inner_texts() if len(one) < 60)
            key = f"{path} {NUMBERS.sub('n', title)} {NUMBERS.sub('n', panels)} {problems}"
        if key in self.seen:
            return
        self.seen.add(key)
        assert self.page.title(), f"{self.page.url} has no title"
        if self.looks_at is not None:
            name = re.sub(r"[^a-z0-9]+", "-", f"{path} {stage} {problems}".lower()).strip("-") or "start"
            again = sum(1 for one in self.seen if one.startswith(f"{path} "))
            self.looks_at(self.page, f"{len(self.seen):02}-{name}-{again}")


class Staff(Person):
    """A member of the cast at their desk."""

    def __init__(self, member: Member, *args: object) -> None:
        super().__init__(args[0], member.name, args[1], args[2])  # type: ignore[arg-type]
        self.member = member

    def at_work(self) -> Staff:
        """Open My day, and sign in where the morning's session has ended."""
        self.visits("/my-day")
        if "/sign-in" in self.page.url:
            self.writes("Work email", self.member.email).writes("Password", PASSWORD).press("Sign in", exact=True)
        self.sees("My day")
        return self

    def goes_to(self, place: str) -> Staff:
        """One of the places in the bar at the top."""
        self.page.get_by_role("navigation", name="Main").get_by_role("link", name=place).click()
        self.page.wait_for_load_state("domcontentloaded")
        self._arrived()
        return self

    def finds(self, words: str, household: str) -> Staff:
        """Find a household with the search box, and open it."""
        self.page.get_by_role("searchbox").fill(words)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/search**")
        self._arrived()
        self.press(household)
        return self


def wait_for(what: Callable[[], bool], words: str, seconds: float = 30) -> None:
    """Wait until something that another process does is done."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"{words}: not within {seconds:.0f} s"
        time.sleep(0.1)
