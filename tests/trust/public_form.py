"""Somebody who fills in the public form over real HTTP: one page after the other, with a browser's cookies."""

from __future__ import annotations

import html
import http.client
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Answer:
    """What came back. ``text`` is the page."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def is_yes(self) -> bool:
        return 200 <= self.status < 400

    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page, as a browser would send them again."""
        fields = {}
        for tag in re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", self.text):
            name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
            if name is not None:
                fields[name[1]] = html.unescape(value[1]) if value else ""
        return fields


@dataclass
class Browser:
    """One browser. ``port`` says where the service is just now; ``source`` is the address it comes from."""

    port: Callable[[], int]
    source: str = "127.0.0.1"
    timeout: float = 30.0
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None)

    def post(self, path: str, **fields: Any) -> Answer:
        """Send a form. Raises OSError or HTTPException where no answer comes."""
        if not self.token:
            self.token = self.get("/enquire/name").hidden()["csrf_token"]
        body = {"csrf_token": self.token, "one_time_id": secrets.token_urlsafe(16), **fields}
        return self._ask("POST", path, urlencode(body, doseq=True))

    def forget_enquiry(self) -> None:
        """The next answer begins another enquiry."""
        self.cookies.pop("enquiry", None)

    def fill_in(self, family_name: str) -> None:
        """Everything up to the button. Raises AssertionError where a page is not taken."""
        email = f"{family_name.lower()}@example.org"
        for path, fields in (
            ("/enquire/name", {"given_name": "Ada", "family_name": family_name}),
            ("/enquire/contact", {"email": email, "phone": "", "contact_times": "any"}),
        ):
            answer = self.post(path, **fields)
            assert answer.status == 303, (path, answer.status, answer.text[:2000])

    def send(self, one_time_id: str) -> Answer:
        """Press the button at the end."""
        return self.post("/enquire/check", one_time_id=one_time_id)

    def _ask(self, method: str, path: str, body: str | None) -> Answer:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port(), timeout=self.timeout, source_address=(self.source, 0)
        )
        try:
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
            connection.request(method, path, body, {**headers, **(FORM if body is not None else {})})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            for line in response.headers.get_all("Set-Cookie") or ():
                name, _, value = line.partition(";")[0].partition("=")
                self.cookies[name] = value
            return Answer(response.status, response.headers, text)
        finally:
            connection.close()
