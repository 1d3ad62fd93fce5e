"""A page as a test sees it, and the checks that every page fetched in a test must pass.

`read(html)` gives a Page: its heading, words, links, forms. `faults(page)` says in sentences what is wrong with it. The
test client in conftest.py asks for the faults of every response, so a page nobody thought to test is inspected too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
UNSEEN = frozenset({"script", "style", "template", "title", "head"})
SELF_LABELLED = frozenset({"hidden", "submit", "button", "image", "reset"})
REFERENCES = frozenset(f"aria-{name}" for name in ("describedby", "labelledby", "controls", "errormessage", "owns"))
LEADS = frozenset({"href", "src", "action", "method", "hx-get", "hx-post"})
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})

# What the service never says, and why: the first is boasting, the second blames, the third is noise.
UNWANTED_WORDS = ("successfully", "invalid", "please note")


@dataclass(eq=False, slots=True)
class Element:
    """One element of a page."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None
    children: list[Element | str] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    @property
    def classes(self) -> list[str]:
        return self.get("class").split()

    @property
    def text(self) -> str:
        """The words inside, with runs of space made one."""
        words: list[str] = []
        self._put_words(words)
        return " ".join("".join(words).split())

    def _put_words(self, words: list[str]) -> None:
        for child in self.children:
            if isinstance(child, str):
                words.append(child)
            elif child.tag not in UNSEEN:
                child._put_words(words)
                if child.tag not in INLINE:
                    words.append(" ")

    def walk(self) -> list[Element]:
        """Every element inside, in the order of the page."""
        found: list[Element] = []
        self._put_elements(found)
        return found

    def _put_elements(self, found: list[Element]) -> None:
        for child in self.children:
            if isinstance(child, Element):
                found.append(child)
                if child.children:
                    child._put_elements(found)

    def all(self, tag: str | None = None, class_: str | None = None, **attributes: str) -> list[Element]:
        """Elements inside, in order, by tag, one class, and attributes (``data_x`` stands for data-x)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        found = self.walk()
        if tag is not None:
            found = [element for element in found if element.tag == tag]
        if class_ is not None:
            found = [element for element in found if class_ in element.classes]
        for name, value in wanted.items():
            found = [element for element in found if element.attributes.get(name) == value]
        return found

    def first(self, tag: str | None = None, class_: str | None = None, **attributes: str) -> Element:
        found = self.all(tag, class_, **attributes)
        if not found:
            raise AssertionError(f"no {tag or 'element'} {class_ or ''} {attributes or ''} in: {self.text[:300]}")
        return found[0]

    def inside(self, tag: str) -> Element | None:
        """The nearest element around this one with that tag."""
        at = self.parent
        while at is not None and at.tag != tag:
            at = at.parent
        return at


INLINE = frozenset("a abbr b code em i kbd q small span strong sub sup time u svg".split())


@dataclass(eq=False)
class Form:
    """A form as a browser would send it: ``fields`` holds what is already filled in."""

    element: Element
    fields: dict[str, Any]
    buttons: list[Element]

    @property
    def action(self) -> str:
        return self.element.get("action")

    @property
    def method(self) -> str:
        return self.element.get("method", "get").upper()

    def filled(self, button: str | None = None, **values: Any) -> dict[str, Any]:
        """What is sent when these fields are typed over and that button is pressed. An unknown name is an error."""
        unknown = set(values) - set(self.names)
        if unknown:
            raise AssertionError(f"the form has no {sorted(unknown)}; it has {sorted(self.names)}")
        data = {**self.fields, **{name: value for name, value in values.items() if value is not None}}
        for name, value in values.items():
            if value is None:
                data.pop(name, None)
        for element in self.buttons:
            if element.get("name") and (button is None or button in (element.text, element.get("value"))):
                data[element["name"]] = element.get("value")
                break
        return data

    @property
    def names(self) -> list[str]:
        controls = [e for e in self.element.walk() if e.tag in ("input", "select", "textarea", "button")]
        return [control["name"] for control in controls if control.get("name")]


@dataclass(eq=False)
class Page:
    """A page that was read. ``mistakes`` are the faults of its markup alone."""

    root: Element
    mistakes: list[str]
    is_whole: bool
    """False for a part that a script swaps in: it has no head."""
    address: str = ""
    """Where it was fetched from: a form that names no address is sent back there."""

    @property
    def title(self) -> str:
        found = self.root.all("title")
        return " ".join("".join(c for c in found[0].children if isinstance(c, str)).split()) if found else ""

    @property
    def h1(self) -> str:
        return self.root.first("h1").text

    @property
    def text(self) -> str:
        return self.root.text

    @property
    def links(self) -> dict[str, str]:
        """Words to address; where two links say the same, the first."""
        found: dict[str, str] = {}
        for link in self.root.all("a"):
            found.setdefault(link.text, link.get("href"))
        return found

    @property
    def errors(self) -> list[str]:
        """What the error summary says."""
        summaries = self.root.all(class_="govuk-error-summary")
        return [item.text for summary in summaries for item in summary.all("li")]

    @property
    def forms(self) -> list[Form]:
        return [form_of(element) for element in self.root.all("form")]

    def form(self, *, action: str | None = None, button: str | None = None, field: str | None = None) -> Form:
        """The form with this address, this button, or this field; without any, the only one that posts."""
        found = [
            form
            for form in self.forms
            if (action is None or form.action == action)
            and (button is None or any(button in (e.text, e.get("value")) for e in form.buttons))
            and (field is None or field in form.names)
            and (action or button or field or form.method == "POST")
        ]
        if action is None and button is None and field is None and len(found) > 1:
            found = [form for form in found if form.element.inside("main")] or found
        if len(found) != 1 and not (found and (action or button or field)):
            known = [(form.method, form.action, [e.text for e in form.buttons]) for form in self.forms]
            raise AssertionError(f"{len(found)} forms match action={action} button={button} field={field}: {known}")
        return found[0]

    def find(self, tag: str | None = None, class_: str | None = None, **attributes: str) -> Element:
        return self.root.first(tag, class_, **attributes)

    def all(self, tag: str | None = None, class_: str | None = None, **attributes: str) -> list[Element]:
        return self.root.all(tag, class_, **attributes)


def form_of(element: Element) -> Form:
    fields: dict[str, Any] = {}
    buttons: list[Element] = []
    for control in element.walk():
        name, kind = control.get("name"), control.get("type", "text")
        if control.tag == "button" or (control.tag == "input" and kind in ("submit", "image")):
            buttons.append(control)
        elif not name or "disabled" in control.attributes:
            continue
        elif control.tag == "textarea":
            fields[name] = "".join(c for c in control.children if isinstance(c, str)).removeprefix("\n")
        elif control.tag == "select":
            options = control.all("option")
            chosen = [o for o in options if "selected" in o.attributes] or options[:1]
            if chosen:
                fields[name] = chosen[0].get("value", chosen[0].text)
        elif control.tag == "input" and kind in ("checkbox", "radio"):
            if "checked" in control.attributes:
                value = control.get("value", "on")
                if kind == "checkbox" and name in fields:
                    earlier = fields[name]
                    fields[name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
                else:
                    fields[name] = value
        elif control.tag == "input" and kind != "file":
            fields[name] = control.get("value")
    return Form(element, fields, buttons)


class Reader(HTMLParser):
    """Builds the tree, and notes where the markup isn't well formed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("#root", {}, None)
        self.at = self.root
        self.mistakes: list[str] = []
        self.has_doctype = False

    def handle_decl(self, decl: str) -> None:
        self.has_doctype = decl.lower() == "doctype html"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if len(attributes) != len(attrs):
            names = Counter(name for name, _ in attrs)
            self.mistakes += [f"<{tag}> has {name} twice" for name, times in names.items() if times > 1]
        element = Element(tag, attributes, self.at)
        self.at.children.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.at = self.at.parent or self.root

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            self.mistakes.append(f"</{tag}> closes what can't be closed")
            return
        if self.at.tag != tag:
            line, _ = self.getpos()
            self.mistakes.append(f"line {line}: </{tag}> where <{self.at.tag}> is open")
            open_tags = set()
            up: Element | None = self.at
            while up is not None:
                open_tags.add(up.tag)
                up = up.parent
            if tag not in open_tags:
                return
            while self.at.tag != tag:
                self.at = self.at.parent or self.root
        self.at = self.at.parent or self.root

    def handle_data(self, data: str) -> None:
        self.at.children.append(data)

    def close(self) -> None:
        super().close()
        if self.at is not self.root:
            self.mistakes.append(f"<{self.at.tag}> is never closed")


def read(html: str) -> Page:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return Page(reader.root, reader.mistakes, reader.has_doctype)


# --- The checks -------------------------------------------------------------------------------------------------------


def faults(page: Page, *, resolves: Callable[[str, str], bool] | None = None) -> list[str]:
    """What is wrong with a page, a sentence each. ``resolves(method, path)``: does an address lead anywhere?"""
    found = list(page.mistakes)
    elements = page.root.walk()
    ids = Counter(e["id"] for e in elements if "id" in e.attributes)
    found += [f"the id {name!r} is used {times} times" for name, times in ids.items() if times > 1]
    found += ["an id is empty" for name in ids if not name.strip()]
    if page.is_whole:
        found += _whole(page, elements)
    for element in elements:
        found += _element(element, ids)
        if resolves is not None and not LEADS.isdisjoint(element.attributes):
            found += _addresses(element, ids, resolves, page.is_whole)
    found += _labels(page, elements)
    words = page.text.lower()
    found += [
        f"the page says {word!r}" for word in UNWANTED_WORDS if word in words and re.search(rf"\b{word}\b", words)
    ]
    return found


def _whole(page: Page, elements: list[Element]) -> list[str]:
    found = []
    tags: dict[str, list[Element]] = {}
    for element in elements:
        tags.setdefault(element.tag, []).append(element)
    for tag in ("h1", "main", "title"):
        number = len([e for e in tags.get(tag, ()) if not e.inside("svg")])
        if number != 1:
            found.append(f"there are {number} <{tag}> elements; there must be one")
    if not page.title:
        found.append("the title is empty")
    if "h1" in tags and not tags["h1"][0].text:
        found.append("the heading is empty")
    if "html" not in tags or not tags["html"][0].get("lang"):
        found.append("<html> doesn't say its language")
    if not any(meta.get("name") == "viewport" for meta in tags.get("meta", ())):
        found.append("there is no viewport, so a phone would show it tiny")
    levels = [int(e.tag[1]) for e in elements if e.tag in HEADINGS]
    found += [
        f"an h{b} follows an h{a}: a level is missed" for a, b in zip(levels, levels[1:], strict=False) if b > a + 1
    ]
    return found


def _element(element: Element, ids: Counter[str]) -> list[str]:
    found = []
    attributes = element.attributes
    if element.tag == "style" or "style" in attributes:
        found.append(f"<{element.tag}> is styled in the page, which our content security policy refuses")
    if element.tag == "script" and not element.get("src"):
        found.append("there is a script in the page, which our content security policy refuses")
    handlers = [name for name in attributes if name.startswith("on")]
    if handlers:
        found.append(f"<{element.tag}> has {handlers[0]}, which our content security policy refuses")
    if not REFERENCES.isdisjoint(attributes):
        for attribute in REFERENCES & attributes.keys():
            found += [
                f"{attribute} of <{element.tag} {element.get('id')}> names {name!r}, which isn't there"
                for name in element[attribute].split()
                if name not in ids
            ]
    if element.tag == "label" and element.get("for") and element["for"] not in ids:
        found.append(f"the label {element.text!r} is for {element['for']!r}, which isn't there")
    if element.tag == "img" and "alt" not in attributes:
        found.append(f"the picture {element.get('src')} has no alt")
    if element.tag == "a" and "href" in attributes and not _has_name(element):
        found.append(f"the link to {element['href']!r} has no words")
    if element.tag == "button" and not _has_name(element):
        found.append("a button has no words")
    return found


def _has_name(element: Element) -> bool:
    if element.text or element.get("aria-label") or element.get("aria-labelledby"):
        return True
    return any(e.get("alt") or e.get("aria-label") or (e.tag == "title" and e.text) for e in element.walk())


def _labels(page: Page, elements: list[Element]) -> list[str]:
    labelled = {e["for"] for e in elements if e.tag == "label" and e.get("for") and e.text}
    return [
        f"<{element.tag} name={element.get('name')!r}> has no label"
        for element in elements
        if element.tag in ("input", "select", "textarea")
        and element.get("type") not in SELF_LABELLED
        and element.get("id") not in labelled
        and not element.inside("label")
        and not (element.get("aria-label") or element.get("aria-labelledby"))
    ]


def _addresses(element: Element, ids: Counter[str], resolves: Callable[[str, str], bool], is_whole: bool) -> list[str]:
    checks: list[tuple[str, str]] = []
    if element.tag == "form":
        method = element.get("method", "get").upper()
        if method not in ("GET", "POST"):
            return [f"a form is sent by {method}"]
        checks.append((method, element.get("action")))
    elif element.tag in ("a", "link"):
        checks.append(("GET", element.get("href")))
    elif element.tag in ("img", "script"):
        checks.append(("GET", element.get("src")))
    checks += [("GET", element[a]) for a in ("hx-get",) if a in element.attributes]
    checks += [("POST", element[a]) for a in ("hx-post",) if a in element.attributes]
    found = []
    for method, address in checks:
        parts = urlsplit(address)
        if address.startswith("#"):
            if is_whole and address[1:] not in ids:
                found.append(f"the link {element.text!r} leads to {address}, which isn't on the page")
        elif parts.scheme in ("tel", "mailto", "webcal", "sms", "data", "geo"):
            continue
        elif parts.scheme or parts.netloc:
            if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1"):
                found.append(f"{address} isn't https")
        elif parts.path and not parts.path.startswith("/"):
            found.append(f"{address!r} is relative to the page it stands on")
        elif parts.path and not resolves(method, parts.path):
            found.append(f"{method} {parts.path} leads nowhere")
    return found
