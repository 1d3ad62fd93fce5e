"""What every answer tells the browser to refuse, word for word (G41)."""

import gzip

import pytest

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

EXPECTED = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}


@pytest.mark.parametrize("path", ["/sign-in", "/desk", "/account", "/no-such-page", "/desk/undeclared"])
def test_every_page_carries_them(client, cast, path):
    client.sign_in(cast.officer)

    answer = client.get(path)

    assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
    assert "Strict-Transport-Security" not in answer.headers


def test_over_tls_browsers_are_told_to_stay_there(make_app):
    client = make_app(cookie_secure=True).test_client()

    answer = client.get("/sign-in", base_url="https://localhost")

    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert answer.headers["Set-Cookie"].startswith("__Host-form=")
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in answer.headers["Set-Cookie"]


def test_files_with_a_digest_in_their_address_are_kept(client):
    page = client.get("/sign-in").page
    address = next(link["href"] for link in page.root.all("link") if "brand.css" in link["href"])

    kept = client.get(address)
    not_kept = client.get("/static/brand.css")

    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert not_kept.headers["Cache-Control"] == "public, max-age=300"
    assert kept.headers["Content-Security-Policy"] == EXPECTED["Content-Security-Policy"]


def test_styles_are_small_on_the_wire(client):
    address = "/static/vendor/govuk-public.min.css"

    plain = client.get(address)
    small = client.get(address, headers={"Accept-Encoding": "gzip, br"})
    client.inspects = False  # an answer of 304 has no type
    again = client.get(address, headers={"Accept-Encoding": "gzip", "If-None-Match": small.headers["ETag"]})

    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert len(small.data) < len(plain.data) / 5
    assert gzip.decompress(small.data) == plain.data
    assert again.status_code == 304
    assert small.headers["X-Content-Type-Options"] == "nosniff"


def test_a_first_public_page_weighs_little(client):
    """What a phone fetches first: the page, its styles and its script, at most 60 kB."""
    page = client.get("/desk")
    links = [link["href"] for link in page.page.root.all("link")]
    scripts = [script["src"] for script in page.page.root.all("script")]

    files = [client.get(path, headers={"Accept-Encoding": "gzip"}) for path in links + scripts]

    assert len(page.data) <= 30_000
    assert len(gzip.compress(page.data)) + sum(len(file.data) for file in files) <= 60_000


@pytest.mark.parametrize(
    "name", ["../settings.py", "%2e%2e/settings.py", "vendor/.stamp", "no-such.css", "vendor", "vendor/NOTICE.txt"]
)
def test_nothing_but_styles_scripts_and_drawings_is_served(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_nothing_in_a_page_is_inline(client, cast):
    client.sign_in(cast.officer)
    for path in ("/sign-in", "/desk", "/account"):
        page = client.get(path)
        assert " style=" not in page.text
        assert "<style" not in page.text
        assert all(script.get("src") for script in page.page.root.all("script"))


def test_no_cookie_of_flask_itself_is_ever_set(client, cast):
    page = client.get("/sign-in").page
    answer = client.submit(page, button="Sign in", email=cast.officer.email, password="kettle lantern puddle")

    assert all(not cookie.startswith(("session=", "remember")) for cookie in answer.headers.getlist("Set-Cookie"))


def test_an_unknown_host_is_refused_where_hosts_are_listed(make_app):
    client = make_app(trusted_hosts=("foster.example.org",)).test_client()
    client.inspects = False

    assert client.get("/sign-in", base_url="http://foster.example.org").status_code == 200
    assert client.get("/sign-in", base_url="http://evil.example.com").status_code == 400
