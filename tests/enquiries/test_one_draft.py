"""A browser that sends twice before it has heard anything begins one draft: what is kept while typing and Continue, or
a button pressed twice, may arrive together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crm.clock import now_utc
from crm.enquiries import drafts
from crm.enquiries.models import EnquiryDraft
from tests.enquiries.racers import act
from tests.racers import racing

pytestmark = pytest.mark.usefixtures("cast")
CLIENTS = 8


def page_of(client, slug="name"):
    """What a page of the form sends with every request: its token, and the cookie the token is bound to."""
    page = client.get(f"/enquire/{slug}").page
    return page.form(button="Continue").filled("Continue"), client.get_cookie("form").value


def token_in(cookies: list[str]) -> str:
    return next(one for one in cookies if one.startswith("enquiry=")).partition(";")[0]


def test_requests_of_one_page_that_meet_begin_one_draft(client, session, database, settings, rounds):
    with racing({**database.environ, "CRM_DATA": str(settings.data_dir)}, act, CLIENTS) as racers:
        for number in range(rounds(2, 40)):
            data, form = page_of(client)
            data |= {"given_name": f"Maya{number}", "family_name": "Thompson"}
            paths = ("/enquire/name/typed", "/enquire/name")

            results = racers.run([{"op": paths[one % 2], "data": data, "form": form} for one in range(CLIENTS)])

            assert {(one["op"], one["what"]) for one in results} == {(paths[0], 204), (paths[1], 303)}
            assert len({token_in(one["cookies"]) for one in results}) == 1
            session.rollback()
            kept = session.scalars(sa.select(EnquiryDraft).order_by(EnquiryDraft.id)).all()
            assert len(kept) == number + 1
            assert drafts.answers_of(kept[-1])["given_name"] == f"Maya{number}"


def test_another_page_and_another_browser_begin_drafts_of_their_own(app, client, session):
    sent = [page_of(client), page_of(client), page_of(app.test_client())]
    tokens = set()
    for data, form in sent:
        browser = app.test_client()
        browser.set_cookie("form", form)
        answer = browser.post("/enquire/name", data={**data, "given_name": "Ada", "family_name": "Quill"})
        tokens.add(token_in(answer.headers.getlist("Set-Cookie")))

    assert len(tokens) == session.scalar(sa.select(sa.func.count()).select_from(EnquiryDraft)) == 3


def test_the_token_of_a_page_is_of_no_use_without_its_cookie(app, client, session):
    data, _ = page_of(client)
    client.post("/enquire/name", data={**data, "given_name": "Maya", "family_name": "Thompson"})

    stranger = app.test_client()
    answer = stranger.post("/enquire/name", data=data)

    assert answer.status_code == 403
    assert stranger.get_cookie("enquiry") is None


@pytest.mark.parametrize("ended", ["sent", "expired"])
def test_a_page_that_began_what_has_ended_begins_anew(app, client, session, ended):
    data, form = page_of(client)
    client.post("/enquire/name", data={**data, "given_name": "Maya", "family_name": "Thompson"})
    earlier = session.scalars(sa.select(EnquiryDraft)).one()
    if ended == "sent":
        held_id = a_held_enquiry(session)
        earlier.sent_count, earlier.held_id = 1, held_id
    else:
        earlier.expires_at = now_utc() - timedelta(minutes=1)
    session.commit()

    other = app.test_client()
    other.set_cookie("form", form)
    other.post("/enquire/name", data={**data, "given_name": "Ada", "family_name": "Quill"})

    names = [drafts.answers_of(one)["given_name"] for one in session.scalars(sa.select(EnquiryDraft)).unique()]
    assert sorted(names) == ["Ada", "Maya"]


def a_held_enquiry(session: Any) -> int:
    from crm.enquiries.models import HeldEnquiry, HeldState

    row = HeldEnquiry(
        received_at=now_utc(), state=HeldState.WAITING, signs="trap", one_time_id="web:earlier", name="Maya Thompson"
    )
    row.answers = "{}"
    session.add(row)
    session.flush()
    return row.id
