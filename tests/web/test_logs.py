"""Nothing personal reaches the log (G30)."""

import json
import logging

from crm.web import logs

CANARIES = {"name": "Canary Wren", "email": "canary@example.org", "phone": "07700 900999", "token": "s3cr3t-canary"}


def test_only_known_keys_are_written(capsys):
    logs.set_up()

    logs.get().info("letter sent", letter_id=7, **CANARIES)

    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "letter sent"
    assert line["letter_id"] == 7
    assert not set(line) & set(CANARIES)


def test_a_fault_shows_its_kind_and_place_and_no_values(capsys):
    logs.set_up()

    def fail(name):
        raise ValueError(f"cannot store {name}")

    try:
        fail("Canary Wren")
    except ValueError:
        logs.get().error("fault", exc_info=True)

    text = capsys.readouterr().err
    line = json.loads(text)
    assert line["fault"] == "ValueError"
    assert line["where"][-1].endswith(" fail")
    assert "Canary" not in text


def test_what_libraries_say_is_left_out(capsys):
    logs.set_up()

    logging.getLogger("sqlalchemy.engine").warning("INSERT INTO person VALUES (%s)", "Canary Wren")

    text = capsys.readouterr().err
    assert json.loads(text)["event"] == "sqlalchemy.engine"
    assert "Canary" not in text


def test_a_line_is_one_line(capsys):
    logs.set_up()

    logs.get().info("event\r\nInjected: yes", kind="a\nb")

    assert capsys.readouterr().err.count("\n") == 1
