"""What an administrator sees of the virus scanner, and of what waits for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import crm.administration.views  # noqa: F401  (its pages are defined in one go, before any is used here)
from crm.administration import running_views
from crm.files import scanning


def with_scanner(app: Any, at: str | None) -> None:
    app.extensions["crm_settings"] = replace(app.extensions["crm_settings"], clamd=at)


def words_on_page(app: Any, cast: Any) -> str:
    client = app.test_client()
    client.sign_in(cast.administrator)
    return client.get("/admin/jobs").page.text


def test_without_a_scanner_it_says_how_many_files_wait(app, cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with_scanner(app, None)
    assert "0 files waitingSet one up with CRM_CLAMD. None" in words_on_page(app, cast)
    monkeypatch.setattr(running_views, "files_held", lambda: 15)
    assert "15 files waitingSet one up" in words_on_page(app, cast)


def test_one_that_is_down_is_told_from_one_that_answers(app, cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with_scanner(app, "unix:/nowhere/clamd.ctl")
    assert "No answer" in words_on_page(app, cast)
    monkeypatch.setattr(scanning, "version", lambda at: f"ClamAV 1.4 at {at}")
    assert "ClamAV 1.4 at unix:/nowhere/clamd.ctl Answers" in words_on_page(app, cast)
