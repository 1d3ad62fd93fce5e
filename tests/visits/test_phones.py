"""What an officer says and types without signal: kept sealed on the phone, done once, with both its times."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from crm.cases.models import Case
from crm.clock import now_utc
from crm.db import db, transaction
from crm.files import pictures
from crm.files.models import StoredFile
from crm.visits import attendance, lone_working, phones, report, watching
from crm.visits.models import Visit, VisitStatus
from crm.visits.phone_models import VisitEntry, VisitPhone, VisitPhoto
from crm.visits.watching import watch_of
from tests.factories import Cast
from tests.samples.pictures import SECRET, bomb, jpeg, png
from tests.sealing_device import Entry, SealingDevice, base64_of, milliseconds, point_of, states
from tests.visits.conftest import MONDAY, Verbs, at


class Phone(SealingDevice):
    """An officer's phone at one visit."""

    mark = "doorstep-visit"
    about = "visit"
    info = b"doorstep visit entry 1"

    def make_ready(self, visit_id: int, *, clock: datetime) -> Any:
        page = self.client.get(f"/visits/{visit_id}/day").page
        token = page.form(button="Keep this").filled("Keep this")["csrf_token"]
        answer = self.client.post(
            f"/visits/{visit_id}/phone",
            data={
                "csrf_token": token,
                "signing_key": base64_of(point_of(self.signing)),
                "clock": str(milliseconds(clock)),
            },
        )
        if answer.status_code == 201:
            self.given = answer.get_json()
        return answer

    def send(self, *entries: Entry, clock: datetime, token: str | None = None) -> Any:
        return self.client.post(
            "/visit-kit/entries",
            json={"clock": milliseconds(clock), "waiting": len(entries), "entries": list(entries)},
            headers={"Authorization": f"Visit {self.given['token'] if token is None else token}"},
        )


@pytest.fixture
def visit(verbs: Verbs, freeze: Any) -> Visit:
    freeze(MONDAY)
    return verbs.book(verbs.household(), "2026-07-14 17:30")


@pytest.fixture
def phone(client: Any, visit: Visit, cast: Cast, freeze: Any) -> Phone:
    """Ready, with a clock that is seven minutes fast; the officer's session is over by the time it sends."""
    freeze("2026-07-14 17:20")
    client.sign_in(cast.officer)
    found = Phone(client)
    assert found.make_ready(visit.id, clock=fast("2026-07-14 17:20")).status_code == 201
    return found


def fast(moment: str) -> datetime:
    return at(moment) + timedelta(minutes=7)


def fresh(visit_id: int) -> Visit:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Visit, visit_id)


def test_a_whole_visit_without_signal_arrives_once_in_order_with_both_times(
    phone: Phone, visit: Visit, freeze: Any
) -> None:
    visit_id = visit.id
    entries = [
        phone.entry(fast("2026-07-14 17:31"), do="in", minutes=None),
        phone.entry(
            fast("2026-07-14 18:00"),
            do="part",
            part=4,
            answers={"home": {"text": "Three bedrooms, rented", "was": report.text_digest("")}},
            items={},
        ),
        phone.entry(fast("2026-07-14 18:40"), do="longer", minutes=15),
        phone.entry(fast("2026-07-14 18:55"), do="out"),
    ]
    freeze("2026-07-14 21:00")

    first = phone.send(*entries, clock=fast("2026-07-14 21:00"))
    again = phone.send(*entries, clock=fast("2026-07-14 21:01"))

    assert states(first) == ["done"] * 4
    assert states(again) == ["known"] * 4
    kept = fresh(visit_id)
    watch = watch_of(kept)
    assert watch is not None
    assert (watch.checked_in_at, watch.checked_in_heard_at) == (at("2026-07-14 17:31"), at("2026-07-14 21:00"))
    assert (watch.checked_out_at, watch.checked_out_heard_at) == (at("2026-07-14 18:55"), at("2026-07-14 21:00"))
    assert (kept.status, kept.held_until_at) == (VisitStatus.DONE, at("2026-07-14 18:55"))
    assert report.sections_of(kept.report)["home"] == "Three bedrooms, rented"
    rows = db.session.scalars(sa.select(VisitEntry).order_by(VisitEntry.counter)).all()
    assert [row.occurred_at for row in rows] == [
        at(f"2026-07-14 {time}") for time in ("17:31", "18:00", "18:40", "18:55")
    ]
    assert rows[0].written_at == fast("2026-07-14 17:31")


def test_an_alarm_that_went_off_stands_down_when_the_check_out_arrives(phone: Phone, visit: Visit, freeze: Any) -> None:
    visit_id = visit.id
    phone.send(phone.entry(fast("2026-07-14 17:31"), do="in", minutes=None), clock=fast("2026-07-14 17:31"))
    freeze("2026-07-14 19:40")
    with transaction():
        watching.raise_alarms(now_utc())
    alarmed = watching.is_alarmed(fresh(visit_id), watch_of(fresh(visit_id)), now=now_utc())

    phone.send(phone.entry(fast("2026-07-14 18:50"), do="out"), clock=fast("2026-07-14 19:40"))

    assert alarmed
    kept = fresh(visit_id)
    assert not watching.is_alarmed(kept, watch_of(kept), now=now_utc())


def test_words_that_come_late_are_kept_below_what_stands_there_by_then(
    phone: Phone, visit: Visit, cast: Cast, freeze: Any
) -> None:
    visit_id = visit.id
    freeze("2026-07-14 17:31")
    with transaction():
        lone_working.check_in(fresh(visit_id), at=now_utc(), actor=cast.officer.actor, now=now_utc())
    with transaction():
        report.save_part(
            fresh(visit_id), number=4, answers={"home": "Tidy."}, items={}, actor=cast.officer.actor, now=now_utc()
        )
    late = phone.entry(
        fast("2026-07-14 17:45"),
        do="part",
        part=4,
        answers={
            "home": {"text": "A flat.", "was": report.text_digest("")},
            "bedroom": {"text": "Big.", "was": report.text_digest("")},
        },
        items={},
    )
    freeze("2026-07-14 18:00")
    phone.send(late, clock=fast("2026-07-14 18:00"))

    sections = report.sections_of(fresh(visit_id).report)
    assert sections["home"] == "Tidy.\n\n(From the phone, 5:45pm) A flat."
    assert sections["bedroom"] == "Big."


def test_what_does_not_fit_any_more_is_kept_aside_for_a_person(
    client: Any, phone: Phone, visit: Visit, verbs: Verbs, cast: Cast, freeze: Any
) -> None:
    visit_id = visit.id
    freeze("2026-07-14 18:00")
    with transaction():
        attendance.record_no_access(
            visit,
            db.session.get_one(Case, visit.case_id),
            note="",
            actor=cast.officer.actor,
            **verbs.given(),
        )

    answer = phone.send(phone.entry(fast("2026-07-14 17:31"), do="in", minutes=None), clock=fast("2026-07-14 18:00"))

    assert states(answer) == ["aside"]
    client.sign_in(cast.officer)
    page = client.get(f"/visits/{visit_id}").page
    assert "From a phone, and not done" in page.text
    after = client.submit(page, button="Dealt with : what came at 5:31pm", follow=True).page
    assert "From a phone, and not done" not in after.text


def test_a_photo_without_signal_arrives_once_and_one_that_comes_too_late_is_shown_where_it_waits(
    client: Any, phone: Phone, visit: Visit, verbs: Verbs, cast: Cast, freeze: Any
) -> None:
    visit_id = visit.id
    picture = base64_of(jpeg())
    entries = [
        phone.entry(fast("2026-07-14 17:31"), do="in", minutes=None),
        phone.entry(fast("2026-07-14 17:40"), do="photo", item="smoke_alarms", picture=picture),
        phone.entry(fast("2026-07-14 17:41"), do="photo", item="smoke_alarms", picture=base64_of(b"GIF89a")),
    ]
    freeze("2026-07-14 19:10")

    assert states(phone.send(*entries, clock=fast("2026-07-14 19:10"))) == ["done", "done", "aside"]
    phone.send(*entries, clock=fast("2026-07-14 19:11"))
    with transaction():
        went = db.session.get_one(Visit, visit_id)
        lone_working.check_out(
            went, db.session.get_one(Case, went.case_id), at=now_utc(), actor=cast.officer.actor, **verbs.given()
        )
        sent = report.save_part(went, number=1, answers={}, items={}, actor=cast.officer.actor, now=now_utc())
        sent.recommendation, sent.submitted_at = "invite", now_utc()
    late = phone.entry(fast("2026-07-14 18:00"), do="photo", item="pets", picture=picture)
    assert states(phone.send(late, clock=fast("2026-07-14 19:20"))) == ["aside"]

    db.session.rollback()
    stored = db.session.scalars(sa.select(StoredFile)).one()
    assert b"SECRET" not in (stored.content or b"")
    client.sign_in(cast.officer)
    page = client.get(f"/visits/{visit_id}")
    assert page.get_data(as_text=True).count('src="data:image/jpeg;base64,') == 1
    assert b"U0VDUkVU" not in page.data


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("no_access", VisitStatus.NO_ACCESS),
        ("refused", VisitStatus.NO_ACCESS),
        ("unsafe", VisitStatus.ABANDONED_SAFETY),
    ],
)
def test_that_nobody_was_in_is_said_without_signal(
    phone: Phone, visit: Visit, freeze: Any, what: str, status: VisitStatus
) -> None:
    visit_id = visit.id
    entry = phone.entry(fast("2026-07-14 17:45"), do="missed", what=what, note="Rang twice")
    freeze("2026-07-14 18:30")

    assert states(phone.send(entry, clock=fast("2026-07-14 18:30"))) == ["done"]
    assert states(phone.send(entry, clock=fast("2026-07-14 18:31"))) == ["known"]
    kept = fresh(visit_id)
    assert (kept.status, kept.settled_note) == (status, "Rang twice")


@pytest.mark.parametrize("change", ["signature", "visit", "sealed", "other_words"])
def test_what_was_altered_or_is_of_another_visit_does_nothing(
    phone: Phone, visit: Visit, freeze: Any, change: str
) -> None:
    visit_id = visit.id
    freeze("2026-07-14 17:31")
    entry = phone.entry(fast("2026-07-14 17:31"), do="in", minutes=None)
    if change == "other_words":
        phone.send(
            phone.entry(fast("2026-07-14 17:30"), entry_id=entry["id"], do="nothing"), clock=fast("2026-07-14 17:31")
        )
    elif change == "visit":
        entry = phone.sign({**entry, "visit": visit_id + 1})
    elif change == "sealed":
        entry = phone.sign({**entry, "sealed": base64_of(b"x" * 40)})
    else:
        entry = {**entry, "signature": base64_of(b"x" * 64)}

    answer = phone.send(entry, clock=fast("2026-07-14 17:31"))

    assert states(answer) == ["aside"]
    watch = watch_of(fresh(visit_id))
    assert watch is None or watch.checked_in_at is None


def test_a_phone_says_nothing_with_another_token_after_its_time_or_once_its_officer_has_left(
    phone: Phone, visit: Visit, freeze: Any
) -> None:
    entry = phone.entry(fast("2026-07-14 17:31"), do="in", minutes=None)

    assert phone.send(entry, clock=fast("2026-07-14 17:31"), token="x" * 43).status_code == 401
    freeze("2026-07-18 17:30")
    assert phone.send(entry, clock=fast("2026-07-18 17:30")).status_code == 401
    with transaction():
        assert phones.forget_phones(now_utc()) == 1
    assert db.session.scalars(sa.select(VisitPhone.private_key_sealed)).one() is None


def test_a_phone_is_made_ready_by_those_who_go_and_nobody_else(
    client: Any, visit: Visit, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 17:20")
    client.sign_in(cast.recruiter)
    answer = client.post(f"/visits/{visit.id}/phone", data={"signing_key": "x", "clock": "1"})

    assert answer.status_code == 403


def test_the_page_that_opens_without_signal_says_nothing_of_anybody(client: Any, visit: Visit) -> None:
    page = client.get("/visit-kit/")
    worker = client.get("/visit-kit/worker.js").get_data(as_text=True)

    assert "Thompson" not in page.get_data(as_text=True)
    assert '"/visit-kit/"' in worker
    assert "visit/without_signal.js" in worker
    assert "kept/sealing.js" in worker


# --- Photos -----------------------------------------------------------------------------------------------------------


def test_a_photo_is_drawn_anew_upright_and_small_without_what_was_written_beside_it() -> None:
    kept = pictures.redraw(jpeg(orientation=6)).content  # held on its side: what was left is at the top
    drawn = Image.open(BytesIO(kept))

    for hidden in (SECRET, b"Exif", b"GPS", b"ICC_PROFILE"):
        assert hidden not in kept
    assert (drawn.format, drawn.size, dict(drawn.getexif())) == ("JPEG", (8, 16), {})
    top, bottom = drawn.getpixel((4, 2)), drawn.getpixel((4, 13))
    assert top[0] > 150 > top[2]
    assert bottom[2] > 150 > bottom[0]
    clear = BytesIO()
    Image.new("RGBA", (3000, 1000), (0, 0, 0, 0)).save(clear, "PNG")
    on_white = Image.open(BytesIO(pictures.redraw(clear.getvalue()).content))
    assert (on_white.format, on_white.size, on_white.getpixel((9, 9))) == ("JPEG", (2048, 683), (255, 255, 255))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"GIF89a", "Use a JPEG or a PNG"),
        (b"<svg onload=alert(1)>", "Use a JPEG or a PNG"),
        (jpeg()[:-200], "cut off"),
        (png(rows=b"\0"), "cut off"),
        (bomb(), "more than 50 million pixels"),
        (b"\xff\xd8\xff" + bytes(pictures.LARGEST_BYTES), "larger than 8 MB"),
    ],
    ids=["gif", "svg", "cut_jpeg", "cut_png", "bomb", "bytes"],
)
def test_what_is_no_picture_or_too_large_a_one_is_refused_in_words(raw: bytes, words: str) -> None:
    with pytest.raises(pictures.NotAPicture, match=words):
        pictures.redraw(raw)


def test_a_photo_goes_with_its_item_sealed_once_and_is_removed_again(
    client: Any, visit: Visit, verbs: Verbs, cast: Cast, freeze: Any
) -> None:
    visit_id = visit.id
    freeze("2026-07-14 17:31")
    with transaction():
        lone_working.check_in(visit, at=now_utc(), actor=cast.officer.actor, now=now_utc())
    client.sign_in(cast.officer)
    address = f"/visits/{visit_id}/report?part=3"
    for _time in range(2):
        page = client.get(address).page
        client.submit(
            page,
            button="Save, stay here",
            smoke_alarms_state="ok",
            smoke_alarms_photo=(BytesIO(jpeg()), "hall.jpg"),
        )
    db.session.rollback()
    photo = db.session.scalars(sa.select(VisitPhoto)).one()
    stored = db.session.scalars(sa.select(StoredFile)).one()
    assert stored.size == len(stored.content or b"")
    assert b"JFIF" not in stored.content_sealed
    assert b"\xff\xd8" not in stored.content_sealed[:2]

    shown = client.get(f"/visits/{visit_id}/photos/{photo.id}")
    assert (shown.mimetype, shown.data[:2]) == ("image/jpeg", b"\xff\xd8")
    assert b"SECRET" not in shown.data
    client.sign_in(cast.recruiter)
    assert client.get(f"/visits/{visit_id}/photos/{photo.id}").status_code == 404
    client.sign_in(cast.officer)
    page = client.get(address).page
    client.submit(page, button="Remove photo 1 of smoke alarms")
    db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StoredFile)) == 0
    case = db.session.get_one(Case, fresh(visit_id).case_id)
    assert case.is_open
