"""No forged requests (G17)."""

from werkzeug.routing.converters import NumberConverter

from crm.access import guards
from tests.factories import PASSWORD

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def ways_in(app):
    """Every unsafe way in: (method, path, whose cookie opens it)."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if getattr(view, "without_form_token", None):
            continue
        declared = guards.declared_for(app, rule.endpoint)
        numbers = {name for name, converter in rule._converters.items() if isinstance(converter, NumberConverter)}
        values = {name: 1 if name in numbers else "x" for name in rule.arguments - set(rule.defaults or ())}
        try:
            path = rule.build(values | dict(rule.defaults or {}), append_unknown=False)[1]
        except (ValueError, KeyError, TypeError):
            path = rule.rule
        for method in sorted((rule.methods or set()) & set(UNSAFE)):
            yield method, path, declared.audience if declared else "nobody"


def session_token_of(app):
    """A good token, of another session than the one that will send it."""
    with app.test_request_context():
        from crm.web import forgery

        forgery.bind_to("staff|999|another session")
        return forgery.token()


def test_every_unsafe_address_refuses_every_forged_request(app, client, cast, contents):
    """As somebody who could do it, were the request honest: so that only the forgery stands in the way."""
    forgeries = {
        "no token": ({}, {}),
        "a made-up token": ({"csrf_token": "abc.def"}, {}),
        "another session's token": ({"csrf_token": session_token_of(app)}, {}),
        "a foreign origin": ({}, {"Origin": "https://evil.example.com"}),
        "a request that the browser calls cross-site": ({}, {"Sec-Fetch-Site": "cross-site"}),
    }
    client.inspects = False
    ways = list(ways_in(app))
    let_in = []
    before = None
    for audience in ("staff", "public", "applicant", "nobody", "own_key"):
        client.sign_in(cast.applicant if audience == "applicant" else cast.manager)
        before = before or contents()
        for method, path, whose in ways:
            for forgery, (data, headers) in forgeries.items():
                if whose == audience:
                    answer = client.open(path, method=method, data=data, headers=headers)
                    if answer.status_code not in (403, 404):
                        let_in.append(f"{method} {path} with {forgery}: {answer.status_code}")

    assert len(ways) > 10
    assert let_in == []
    assert contents() == before


def test_signing_in_and_out_are_guarded_too(client, cast):
    assert client.post("/sign-in", data={"email": cast.officer.email, "password": PASSWORD}).status_code == 403
    client.sign_in(cast.officer)
    assert client.post("/sign-out").status_code == 403
    assert client.get("/account").status_code == 200


def test_a_stale_page_offers_to_send_again_what_was_typed(client, counted):
    data = client.get("/desk").page.form(button="Keep").filled("Keep", name="Maya <Thompson>")
    client.delete_cookie("form")

    stale = client.post("/desk", data=data)
    again = client.submit(stale.page, button="Send it again")

    assert stale.status_code == 403
    assert "nothing has been saved yet" in stale.text
    assert again.status_code == 303
    assert counted() == 1


def test_what_another_site_sends_is_not_offered_again(client, token):
    answer = client.post("/desk", data={"csrf_token": token(client), "name": "X"}, headers={"Origin": "null"})

    assert answer.status_code == 403
    assert "Send it again" not in answer.text


def test_our_own_origin_is_no_reason_to_refuse(client, counted):
    data = client.get("/desk").page.form(button="Keep").filled("Keep", name="Maya")

    answer = client.post("/desk", data=data, headers={"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 303


def test_a_token_may_come_in_a_header(client, token):
    assert client.post("/desk", data={"name": "Maya"}, headers={"X-CSRF-Token": token(client)}).status_code == 303


def test_looking_changes_nothing(app, client, cast, contents):
    """Every address that needs no values, fetched as a manager and as an administrator."""
    for member in (cast.manager, cast.administrator):
        client.sign_in(member)
        client.inspects = False
        before = contents()
        for rule in app.url_map.iter_rules():
            if not rule.arguments and "GET" in (rule.methods or ()) and not rule.rule.startswith("/desk"):
                client.get(rule.rule)
        assert contents() == before
