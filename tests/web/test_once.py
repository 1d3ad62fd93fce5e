"""A form sent twice does its work once (G11)."""

import threading

from crm.web.once import forget_received_before


def filled(client, **values):
    page = client.get("/desk").page
    return page.form(button="Keep").filled("Keep", **values)


def test_the_same_form_ten_times_over_does_its_work_once(client, counted):
    data = filled(client, name="Maya")

    answers = [client.post("/desk", data=data) for _ in range(10)]

    assert {(answer.status_code, answer.headers["Location"]) for answer in answers} == {(303, "/desk/kept?name=Maya")}
    assert counted() == 1


def test_the_same_form_the_next_day_does_its_work_once(client, counted, freeze):
    freeze("2026-07-14 23:50")
    data = filled(client, name="Maya")
    client.post("/desk", data=data)

    freeze("2026-07-15 16:00")
    again = client.post("/desk", data=data)

    assert again.headers["Location"] == "/desk/kept?name=Maya"
    assert counted() == 1


def test_after_a_restart_it_is_still_known(client, counted, make_app):
    from tests.web.conftest import bp

    data = filled(client, name="Maya")
    client.post("/desk", data=data)
    cookie = client.get_cookie("form").value
    restarted = make_app()
    restarted.jinja_loader = client.application.jinja_loader
    restarted.register_blueprint(bp)
    browser = restarted.test_client()
    browser.set_cookie("form", cookie)

    again = browser.post("/desk", data=data)

    assert again.headers["Location"] == "/desk/kept?name=Maya"
    assert counted() == 1


def test_two_at_once_do_it_once(app, client, counted):
    data = filled(client, name="Maya")
    cookie = client.get_cookie("form").value
    barrier, answers = threading.Barrier(4), []

    def send():
        browser = app.test_client()
        browser.set_cookie("form", cookie)
        barrier.wait()
        answers.append(browser.post("/desk", data=data))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {(answer.status_code, answer.headers["Location"]) for answer in answers} == {(303, "/desk/kept?name=Maya")}
    assert counted() == 1


def test_other_answers_under_the_same_id_are_refused(client, counted):
    data = filled(client, name="Maya")
    client.post("/desk", data=data)

    changed = client.post("/desk", data={**data, "name": "Daniel"})

    assert changed.status_code == 409
    assert "sent before with other answers" in changed.text
    assert counted() == 1


def test_a_view_of_versions_makes_a_new_one_of_other_answers(client, counted, token):
    data = {"csrf_token": token(client), "one_time_id": "0123456789abcdef", "words": "as it was"}

    first = client.post("/desk/versions", data=data)
    replayed = client.post("/desk/versions", data=data)
    changed = client.post("/desk/versions", data={**data, "words": "as it is"})
    replayed_change = client.post("/desk/versions", data={**data, "words": "as it is"})

    assert first.headers["Location"] == replayed.headers["Location"] == "/desk/kept?was=nothing"
    assert changed.headers["Location"] == replayed_change.headers["Location"] == "/desk/kept?was=first"
    assert counted() == 2


def test_another_browser_learns_nothing_but_that_it_has_come(app, client, counted, token):
    data = filled(client, name="Maya")
    client.post("/desk", data=data)
    stranger = app.test_client()

    answer = stranger.post("/desk", data={**data, "csrf_token": token(stranger)})

    assert answer.status_code == 200
    assert "We have this already" in answer.text
    assert "Maya" not in answer.text
    assert "Location" not in answer.headers
    assert counted() == 1


def test_what_was_refused_can_be_sent_again(client, counted):
    data = filled(client, name="")
    assert client.post("/desk", data=data).status_code == 422

    answer = client.post("/desk", data={**data, "name": "Maya"})

    assert answer.status_code == 303
    assert counted() == 1


def test_old_ids_are_forgotten(client, counted, session, freeze):
    from datetime import timedelta

    from crm.clock import now_utc
    from crm.db import transaction

    freeze("2026-07-14 12:00")
    client.post("/desk", data=filled(client, name="Maya"))

    freeze("2026-09-14 12:00")
    with transaction():
        assert forget_received_before(now_utc() - timedelta(days=30)) == 1
