"""Documents: sent from a phone, held until a scanner has looked them through, accepted, sent back, asked for anew."""

from __future__ import annotations

import io
import threading
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

import crm.assessments.views  # noqa: F401  (its pages are defined in one go, before any is used here)
from crm.assessments import document_views, document_worker, documents, withdrawal
from crm.assessments.document_models import Document, DocumentFile, DocumentVersion
from crm.cases.models import Case, Task
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.delivery.queries import email_parts
from crm.files.models import StoredFile
from crm.files.scanning import ScannerDown
from crm.portal.signing_in import actor_of
from crm.rules.documents import KINDS, KINDS_BY_NAME, Standing
from crm.rules.permissions import Actor
from tests.portal.conftest import browser_of, people_of
from tests.samples.pictures import SECRET, jpeg, png

FINDING = "Eicar-Test-Signature"


def clean(_content: bytes) -> str | None:
    return None


def harmful(_content: bytes) -> str | None:
    return FINDING


def down(_content: bytes) -> str | None:
    raise ScannerDown


def scan_all(by: Any = clean) -> None:
    db.session.rollback()
    while document_worker.has_files_to_scan(now_utc()) and document_worker.scan_next(now_utc(), by=by):
        pass
    db.session.rollback()
    db.session.expire_all()


@pytest.fixture
def two(app, home):
    """Priya's browser and Sam's."""
    people = people_of(home.case)
    return browser_of(app, people["Priya"]), browser_of(app, people["Sam"])


@pytest.fixture
def officer(app, home):
    client = app.test_client()
    client.sign_in(home.cast.officer)
    return client


def photo(color: int = 1) -> tuple[io.BytesIO, str]:
    return io.BytesIO(png(rows=bytes([0, color * 25, 2, 0, 3, 4]))), "IMG_0001.png"


def send(client, key: str, *files: Any, **more: str):
    page = client.get(f"/my/documents/{key}").page
    return client.submit(page, button="Send it", files=list(files) or [photo()], **more)


def count(model) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def the_document(kind: str = "identity") -> Document:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(Document).where(Document.kind == kind).order_by(Document.id)).first()


def letters() -> list[OutboundMessage]:
    db.session.rollback()
    return list(db.session.scalars(select(OutboundMessage).where(OutboundMessage.kind == "document_wanted")))


def key_of(home, name: str = "Priya", kind: str = "identity") -> str:
    return f"{kind}-{people_of(home.case)[name].id}"


def at(home, document: Document | None = None) -> str:
    base = f"/cases/{home.case.reference}/documents"
    return f"{base}/{document.public_id}" if document else base


def test_a_photo_waits_for_the_scanner_is_opened_and_accepted_until_its_last_day(app, home, two, officer):
    priya, _ = two
    assert "2 to send" not in priya.get("/my/list").page.text  # hers are three, with the one of the household
    assert "3 to send" in priya.get("/my/list").page.text
    answer = send(priya, key_of(home), photo(1), photo(9))
    assert answer.headers["Location"] == "/my/documents"
    listed = priya.get("/my/documents").page.text
    assert "We have it" in listed
    assert "scanner" not in listed
    document = the_document()
    page = officer.get(at(home, document)).page
    assert "no virus scanner is set up" in page.text
    assert not page.all("img")
    first = document.last.pages[0].public_id
    assert officer.get(f"{at(home, document)}/files/{first}").status_code == 404
    # It can't be accepted unseen either.
    with pytest.raises(documents.DocumentAsItStands), transaction():
        documents.accept(
            home.case, document, seen=1, original_seen_on=None, ends_on=None, actor=home.cast.officer.actor,
            now=now_utc(), today=today_in_london(),
        )  # fmt: skip
    scan_all()
    document = the_document()
    page = officer.get(at(home, document)).page
    assert len(page.all("img")) == 2
    file = officer.get(f"{at(home, document)}/files/{first}")
    assert file.headers["Content-Type"] == "image/jpeg"
    assert file.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "Priya" not in file.headers["Content-Disposition"]
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in file.headers["Content-Security-Policy"]
    assert file.data.startswith(b"\xff\xd8\xff")
    refused = officer.submit(page, button="Accept it")
    assert refused.status_code == 422
    assert "Write the last day on which it holds" in refused.page.text
    days = {"ends_on-day": "1", "ends_on-month": "3", "ends_on-year": "2031"}
    assert officer.submit(page, button="Accept it", **days).status_code == 303
    assert the_document().last.ends_on == date(2031, 3, 1)
    assert "Holds until Saturday 1 March 2031" in priya.get("/my/documents").page.text
    assert "2 to send" in priya.get("/my/list").page.text
    looked = db.session.execute(text("SELECT event FROM audit_entry")).scalars().all()
    assert {"document.handed_in", "document.accepted", "view.document_file"} <= set(looked)


def test_what_is_kept_is_what_was_seen_and_nothing_written_beside_it(home, two):
    send(two[0], key_of(home), (io.BytesIO(jpeg()), "photo.jpg"))
    db.session.rollback()
    (stored,) = db.session.scalars(select(StoredFile)).all()
    assert stored.media == "image/jpeg"
    assert SECRET not in (stored.content or b"")
    assert SECRET not in stored.content_sealed
    assert the_document().last.pages[0].sheets == 1


def test_each_sends_their_own_and_sees_nothing_of_the_others(app, home, two):
    priya, sam = two
    assert send(priya, key_of(home)).status_code == 303
    document = the_document()
    assert sam.get(f"/my/documents/{document.public_id}").status_code == 404
    assert sam.get(f"/my/documents/{key_of(home)}").status_code == 404
    page = sam.get(f"/my/documents/{key_of(home, 'Sam')}").page
    stolen = sam.post(f"/my/documents/{document.public_id}", data=page.form(button="Send it").filled(files=[photo()]))
    assert stolen.status_code == 404
    assert "We have it" not in sam.get("/my/documents").page.text
    # What is shared is there for both, whoever sent it.
    assert send(priya, "home").status_code == 303
    shared = the_document("home")
    assert "Priya sent 1 file" in sam.get(f"/my/documents/{shared.public_id}").page.text
    for unknown in ("identity", "home-1", "medical-1", "nonsense", f"identity-{10**6}"):
        assert sam.get(f"/my/documents/{unknown}").status_code == 404, unknown


def test_what_does_not_come_from_the_household_is_not_taken_from_it(home, two):
    """A medical report, by its address: nothing on a page leads there."""
    priya, _ = two
    assert priya.get(f"/my/documents/{key_of(home, kind='medical')}").status_code == 404
    person = people_of(home.case)["Priya"]
    line = documents.line_for(home.case, KINDS_BY_NAME["medical"], person, today=today_in_london())
    with pytest.raises(documents.DocumentNotFound), transaction():
        documents.hand_in(home.case, line, [], actor=actor_of(person), **home_doing(home))
    assert count(Document) == 0


def home_doing(home) -> dict[str, Any]:
    return {"now": now_utc(), "today": today_in_london(), "rulebook": home.rulebook}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"hello, I am a letter", "photo"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"PK\x03\x04 a document of an office program", "PDF"),
        (b"\xff\xd8\xff\xe0 cut off", "damaged"),
        (b"%PDF-1.7 and nothing more", "PDF"),
    ],
)
def test_what_can_t_be_taken_is_refused_in_words_and_leaves_nothing(home, two, raw, words):
    answer = send(two[0], key_of(home, kind="other"), (io.BytesIO(raw), "passport.jpg"), words="Vet’s letter")
    assert answer.status_code == 422
    assert words in answer.page.text
    assert "Vet’s letter" in str(answer.page.form(button="Send it").filled())
    assert (count(Document), count(StoredFile)) == (0, 0)


def test_no_file_too_many_and_too_much_are_refused(home, two, monkeypatch):
    priya, _ = two
    page = priya.get(f"/my/documents/{key_of(home)}").page
    assert "Choose a photo or a PDF" in priya.submit(page, button="Send it").page.text
    nine = [photo(number + 1) for number in range(9)]
    assert "8 files at a time" in send(priya, key_of(home), *nine).page.text
    monkeypatch.setattr(documents, "MOST_BYTES_OF_A_CASE", 10)
    assert "no room for more" in send(priya, key_of(home)).page.text
    assert count(StoredFile) == 0


def test_while_the_scanner_is_down_nothing_opens_and_nothing_is_lost(home, two, officer, freeze):
    send(two[0], key_of(home))
    for _ in range(3):
        db.session.rollback()
        assert document_worker.scan_next(now_utc(), by=down) is False
    page = the_document().last.pages[0]
    assert (page.scan, page.scan_tries) == ("waiting", 1)  # it is not asked again at once
    assert page.scan_next_at > now_utc()
    assert documents.files_held() == 1
    freeze("2026-03-02 21:30")
    scan_all(clean)
    assert the_document().last.pages[0].scan == "clean"
    assert documents.files_held() == 0


def test_a_worker_that_dies_over_a_file_leaves_it_held_and_the_next_one_scans_it(home, two, officer, freeze):
    class Killed(BaseException):
        pass

    def dies(_content: bytes) -> str | None:
        raise Killed

    send(two[0], key_of(home))
    db.session.rollback()
    with pytest.raises(Killed):
        document_worker.scan_next(now_utc(), by=dies)
    document = the_document()
    page = document.last.pages[0]
    assert page.scan == "waiting"
    assert officer.get(f"{at(home, document)}/files/{page.public_id}").status_code == 404
    assert not document_worker.has_files_to_scan(now_utc())  # the dead one's claim holds for a while
    freeze("2026-03-02 20:06")
    scan_all(clean)
    assert the_document().last.pages[0].scan == "clean"


def test_a_file_in_which_something_was_found_is_gone_and_the_right_people_hear_of_it(home, two, officer):
    send(two[0], key_of(home), photo(1), photo(2))
    scan_all(harmful)
    document = the_document()
    assert (document.last.state, document.last.pages) == ("sent_back", [])
    assert (count(StoredFile), count(DocumentFile)) == (0, 0)
    assert "not safe to open" in two[0].get(f"/my/documents/{document.public_id}").page.text
    (letter,) = letters()
    assert letter.person_id == people_of(home.case)["Priya"].id
    titles = db.session.scalars(select(Task.title)).all()
    assert any("held something harmful" in title for title in titles)
    found = db.session.execute(text("SELECT detail_json FROM audit_entry WHERE event = 'document.harmful'")).scalar()
    assert FINDING in str(found)
    assert FINDING not in officer.get(at(home, document)).page.text


def test_what_is_sent_back_is_gone_and_the_letter_says_neither_what_nor_why(home, two, officer, freeze):
    send(two[0], key_of(home))
    scan_all()
    document = the_document()
    page, colleagues = (officer.get(at(home, document)).page for _ in range(2))
    refused = officer.submit(page, button="Send it back")
    assert refused.status_code == 422
    assert officer.submit(page, button="Send it back", why="XqCornerWord is cut off").status_code == 303
    assert count(StoredFile) == 0
    again = officer.submit(colleagues, button="Send it back", why="Once more")
    assert "looked at it already" in again.page.text
    assert "XqCornerWord is cut off" in two[0].get(f"/my/documents/{document.public_id}").page.text
    freeze("2026-03-02 20:10")
    asked = officer.get(at(home)).page
    assert officer.submit(
        asked, button="Put it on their list", kind="driving", whose=str(people_of(home.case)["Priya"].id), words=""
    ).status_code == 303
    (letter,) = letters()  # one a day, however much is asked
    words = email_parts(letter).text
    assert "/my/documents" in words
    for told in ("XqCornerWord", "assport", "icence", "cut off"):
        assert told not in words
    assert "4 to send" in two[0].get("/my/list").page.text


def test_a_newer_one_takes_the_place_of_one_nobody_has_looked_at(home, two, officer):
    priya, _ = two
    send(priya, key_of(home), photo(1))
    send(priya, key_of(home), photo(1))  # a second tap
    assert count(DocumentVersion) == 1
    scan_all()
    stale = officer.get(at(home, the_document())).page
    send(priya, the_document().public_id, photo(5))
    document = the_document()
    assert [one.state for one in document.versions] == ["sent_back", "with_us"]
    assert count(StoredFile) == 1
    days = {"ends_on-day": "1", "ends_on-month": "3", "ends_on-year": "2031"}
    late = officer.submit(stale, button="Accept it", **days)
    assert late.status_code in (409, 422)
    assert "newer one has come in" in late.page.text
    assert the_document().accepted is None
    assert [task for task in db.session.scalars(select(Task.title)) if task.startswith("Look at what")] == [
        "Look at what Priya Nair sent in"
    ]


def test_the_one_before_is_kept_and_older_ones_are_dropped(home, two, officer):
    for number in range(1, 4):
        key = the_document("address").public_id if number > 1 else key_of(home, kind="address")
        send(two[0], key, photo(number))
        scan_all()
        page = officer.get(at(home, the_document("address"))).page
        assert officer.submit(page, button="Accept it").status_code == 303
    document = the_document("address")
    assert [(one.state, len(one.pages)) for one in document.versions] == [("accepted", n) for n in (0, 1, 1)]
    assert count(StoredFile) == 2
    assert "A newer one was accepted" in officer.get(at(home, document)).page.text


def test_staff_take_one_in_and_a_medical_report_is_open_only_to_those_on_the_case(app, home, officer, monkeypatch):
    key = key_of(home, kind="medical")
    page = officer.get(f"{at(home)}/{key}").page
    assert officer.submit(page, button="Take it in", files=[photo()]).status_code == 303
    scan_all()
    document = the_document("medical")
    assert document.last.taken_in_by_id == home.cast.officer.id
    file = f"{at(home, document)}/files/{document.last.pages[0].public_id}"
    assert officer.get(file).status_code == 200
    db.session.rollback()
    looks = db.session.execute(text("SELECT event FROM audit_entry WHERE event LIKE 'view.%'")).scalars().all()
    assert "view.health" in looks
    assert officer.get(at(home)).page.links["Medical report"] == at(home, document)
    for member in (home.cast.recruiter, home.cast.other_officer, home.cast.panel_member, home.cast.decision_maker,
                   home.cast.administrator):  # fmt: skip
        client = app.test_client()
        client.sign_in(member)
        assert {client.get(address).status_code for address in (at(home), at(home, document), file)} <= {403, 404}
    monkeypatch.setattr(document_views, "is_on_case", lambda *_, **__: False)
    assert officer.get(file).status_code == 404
    assert officer.get(at(home, document)).status_code == 404
    listed = officer.get(at(home)).page
    assert "Medical report" in listed.text
    assert not [address for address in listed.links.values() if document.public_id in address]


def test_a_file_is_found_only_in_its_own_document_and_case(home, two, officer):
    send(two[0], key_of(home))
    send(two[0], key_of(home, kind="address"), photo(7))
    scan_all()
    mine, other = the_document(), the_document("address")
    swapped = f"{at(home, mine)}/files/{other.last.pages[0].public_id}"
    assert officer.get(swapped).status_code == 404
    assert officer.get(f"{at(home, mine)}/files/{'x' * 22}").status_code == 404


def test_not_needed_is_off_their_list_until_it_is_asked_for_after_all(home, two, officer):
    page = officer.get(f"{at(home)}/{key_of(home)}").page
    assert officer.submit(page, to=page.address + "/not-needed").status_code == 303
    assert "2 to send" in two[0].get("/my/list").page.text
    asked = officer.get(at(home)).page
    priya = str(people_of(home.case)["Priya"].id)
    officer.submit(asked, button="Put it on their list", kind="identity", whose=priya, words="The new one")
    assert "3 to send" in two[0].get("/my/list").page.text
    assert "The new one" in two[0].get("/my/documents").page.text
    assert count(Document) == 1


def test_asking_says_what_is_missing_and_keeps_what_was_typed(home, officer):
    page = officer.get(at(home)).page
    for given, words in (
        ({"kind": "", "whose": "", "words": "XqTyped"}, "Choose what you need"),
        ({"kind": "identity", "whose": "", "words": "XqTyped"}, "Choose whose it is"),
        ({"kind": "other", "whose": str(people_of(home.case)["Sam"].id), "words": ""}, "Write what you need"),
    ):
        answer = officer.submit(page, button="Put it on their list", **given)
        assert answer.status_code == 422
        assert words in answer.page.text
        assert given["words"] in answer.page.text
    assert (count(Document), letters()) == (0, [])


def test_what_runs_out_is_asked_for_once_and_in_time(home, two, officer, freeze, app):
    send(two[0], key_of(home))
    scan_all()
    soon = date(2026, 5, 1)
    days = {"ends_on-day": "1", "ends_on-month": "5", "ends_on-year": "2026"}
    officer.submit(officer.get(at(home, the_document())).page, button="Accept it", **days)

    def asked_anew() -> int:
        db.session.rollback()
        with transaction():
            documents.ask_anew(now_utc())
        return sum("runs out on" in title for title in db.session.scalars(select(Task.title)))

    assert documents.standing_of(the_document(), today=soon - timedelta(days=43)) is Standing.ACCEPTED
    assert asked_anew() == 0
    freeze("2026-03-21 09:00")
    assert asked_anew() == 1
    assert asked_anew() == 1
    priya = browser_of(app, people_of(home.case)["Priya"])
    assert "Runs out soon" in priya.get("/my/documents").page.text
    freeze("2026-05-02 09:00")
    priya = browser_of(app, people_of(home.case)["Priya"])
    assert "Has run out" in priya.get("/my/documents").page.text
    send(priya, the_document().public_id, photo(8))
    assert documents.standing_of(the_document(), today=date(2026, 5, 2)) is Standing.HELD


def test_once_the_application_has_ended_nothing_more_is_taken_in(app, home, two, officer):
    send(two[0], key_of(home))
    home.applied()
    page = two[0].get(f"/my/documents/{the_document().public_id}").page
    home.do(withdrawal.withdraw, home.case, code="AW3", withdrawn_on=home.today, by=home.cast.officer)
    db.session.rollback()
    late = two[0].submit(page, button="Send it", files=[photo(9)])
    assert late.status_code == 422
    assert "this one is not" in late.page.text
    assert count(DocumentVersion) == 1
    assert "Ask for something" not in officer.get(at(home)).page.text


def test_a_check_shows_the_documents_that_help_to_verify_it(home, officer):
    home.applied().assessing()
    check, home_check = home.check("identity", "Priya"), home.check("accommodation")
    db.session.rollback()
    page = officer.get(f"/cases/{home.case.reference}/checks/{check.id}").page
    assert "Passport or driving licence" in page.text
    assert "Mortgage statement" not in page.text
    assert "Mortgage statement" in officer.get(f"/cases/{home.case.reference}/checks/{home_check.id}").page.text
    overview = officer.get(f"/cases/{home.case.reference}/assessment").page
    assert "2 with them" in overview.text


def test_two_at_once_are_both_kept_one_after_the_other(app, home):
    """Both adults send the tenancy agreement at the same moment, on both databases."""
    case_id, people = home.case.id, people_of(home.case)
    taken = [documents.take_each([png(rows=bytes([0, n * 25, 2, 0, 3, 4]))]) for n in (1, 2)]
    begin, faults = threading.Barrier(2), []

    def run(person_id: int, files: Any) -> None:
        with app.app_context():
            is_sqlite = db.engine.dialect.name == "sqlite"
            if is_sqlite:
                begin.wait(10)
            try:
                with transaction():
                    case = db.session.get_one(Case, case_id)
                    person = next(one for one in case.household.people if one.id == person_id)
                    line = documents.line_of(case, "home", today=today_in_london())
                    if not is_sqlite:
                        begin.wait(10)
                    documents.hand_in(case, line, files, actor=actor_of(person), **home_doing(home))
            except Exception as fault:
                faults.append(fault)
            finally:
                db.session.remove()

    racers = [
        threading.Thread(target=run, args=(people[name].id, files))
        for name, files in zip(("Priya", "Sam"), taken, strict=True)
    ]
    db.session.rollback()
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert faults == []
    db.session.rollback()
    found = db.session.scalars(select(Document).where(Document.kind == "home")).all()
    assert len(found) == 1
    assert [one.number for one in found[0].versions] == [1, 2]
    assert [one.state for one in found[0].versions] == ["sent_back", "with_us"]


def test_two_scanners_look_each_file_through_once(app, home, two):
    send(two[0], key_of(home), *[photo(number + 1) for number in range(6)])
    seen: list[bytes] = []

    def once(content: bytes) -> str | None:
        seen.append(content)
        return None

    def run() -> None:
        with app.app_context():
            while document_worker.has_files_to_scan(now_utc()):
                document_worker.scan_next(now_utc(), by=once)
            db.session.remove()

    db.session.rollback()
    racers = [threading.Thread(target=run) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert len(seen) == len(set(seen)) == 6
    assert {page.scan for page in the_document().last.pages} == {"clean"}


def test_every_kind_says_what_is_wanted_and_none_is_a_dbs_certificate():
    assert all(kind.title and kind.hint.endswith(".") for kind in KINDS)
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert not any("-" in kind.name or "dbs" in kind.items or "DBS" in kind.title for kind in KINDS)


def test_staff_may_not_by_themselves_do_what_is_for_others(home, two):
    """Nobody without the duty accepts, sends back or asks, whatever page they found."""
    send(two[0], key_of(home))
    scan_all()
    recruiter: Actor = home.cast.recruiter.actor
    document = the_document()
    for act in (
        lambda: documents.accept(home.case, document, seen=1, original_seen_on=None, ends_on=None, actor=recruiter,
                                 now=now_utc(), today=today_in_london()),
        lambda: documents.send_back(home.case, document, "No", seen=1, actor=recruiter, **home_doing(home)),
        lambda: documents.ask_for(home.case, KINDS[0], None, None, actor=recruiter, **home_doing(home)),
    ):  # fmt: skip
        with pytest.raises(document_views.Refusal) as refused, transaction():
            act()
        assert refused.value.status == 403
    assert the_document().last.state == "with_us"
