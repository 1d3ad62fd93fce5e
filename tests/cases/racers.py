"""What people and the timetable do to two households at once: merge them, undo that, write a note, compare them."""

from __future__ import annotations

import contextvars
from typing import Any

import flask

from crm import policy
from crm.access.queries import user_with
from crm.cases.merge import merge_households
from crm.cases.merge_choices import MergeChoices
from crm.cases.models import Case, HouseholdMerge
from crm.cases.pairing import pair_people
from crm.cases.suggest_pairs import suggest_pairs
from crm.cases.unmerge import undo_merge
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from tests.racers import Job, Result


def act(job: Job) -> Result:
    """What a request does, or a request itself."""
    if job["op"] == "post":
        return posted(job)
    now, today = now_utc(), today_in_london()
    with transaction():
        if job["op"] == "compare":
            suggest_pairs(now=now)
            return {"what": "done"}
        given = {
            "actor": user_with(job["by"]).as_actor(), "now": now, "today": today,
            "rulebook": policy.rulebook_on(today),
        }  # fmt: skip
        if job["op"] == "undo":
            undo_merge(db.session.get_one(HouseholdMerge, job["merge_id"]), **given)
        else:
            one, other = (db.session.get(Case, case_id) for case_id in job["cases"])
            if one is None or other is None:
                return {"what": "gone"}  # as a page says it: the reference leads to the household that goes on
            choices = MergeChoices(pairs=pair_people(one.household.people, other.household.people))
            merge_households(one, other, choices=choices, **given)
    return {"what": "done"}


def posted(job: Job) -> Result:
    """A form that somebody sends, as a browser does."""
    app = flask.current_app._get_current_object()  # type: ignore[attr-defined]

    def send() -> Any:
        client = app.test_client()
        client.set_cookie("staff", job["session"])
        return client.post(job["path"], data=job["data"])

    answer = contextvars.Context().run(send)
    return {"what": answer.status_code, "words": answer.text[:3000]}
