"""Work is committed once, around the view, and only when the answer is not a refusal."""

import pytest

from crm.web.writes import WriteOutsideTransaction


def test_a_right_form_is_kept_and_said_on_the_next_page(client, counted):
    page = client.get("/desk").page

    answer = client.submit(page, button="Keep", name="Maya", follow=True)

    assert counted() == 1, answer.text
    assert "Kept for Maya." in answer.text
    assert "Kept for Maya." not in client.get("/desk/kept").text


def test_a_refusal_rolls_back_and_says_what_can_be_done_instead(client, counted, token):
    answer = client.post("/desk/refuses", data={"csrf_token": token(client)})

    assert answer.status_code == 409
    assert "That time has gone." in answer.text
    assert "Choose Thursday at 2pm." in answer.text
    assert counted() == 0


def test_an_answer_of_400_or_more_is_not_kept(client, counted, token):
    answer = client.post("/desk/shows-422", data={"csrf_token": token(client)})

    assert answer.status_code == 422
    assert counted() == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_forgotten_writes_fails_at_once(client, counted, token, method):
    with pytest.raises(WriteOutsideTransaction):
        client.open("/desk/forgets", method=method, data={"csrf_token": token(client)} if method == "POST" else None)

    assert counted() == 0


def test_a_forgotten_writes_around_a_statement_fails_too(client, counted, token):
    with pytest.raises(WriteOutsideTransaction):
        client.post("/desk/forgets-a-statement", data={"csrf_token": token(client)})


def test_looking_at_a_public_page_writes_nothing(client, queries):
    with queries() as sent:
        client.get("/desk")

    assert [statement for statement in sent if not statement.startswith("SELECT") and statement != "BEGIN"] == []


def test_looking_at_a_staff_page_asks_once_who_is_there(client, cast, queries):
    client.sign_in(cast.officer)
    with queries() as sent:
        client.get("/desk/staff")

    assert len([statement for statement in sent if "web_session" in statement]) == 1
    assert len(sent) <= 3, sent
