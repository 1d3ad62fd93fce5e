"""Signing in, staying in, and being out when one should be (G24 to G27)."""


def test_smoke(app, client, cast):
    r = client.get("/sign-in")
    r = client.submit(r.page, button="Sign in", email=cast.officer.email, password="kettle lantern puddle")
    assert r.status_code == 303, r.text
    r = client.get("/account")
    assert r.status_code == 200
    r = client.submit(r.page, button="Sign out")
    assert client.get("/account").status_code == 303
