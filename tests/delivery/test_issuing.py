"""A notice that lacks what the law wants, or offers what it does not give, is not issued; by email it is a file too."""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime
from email.parser import BytesParser
from email.policy import default

import pikepdf
import pypdf
import pytest
from sqlalchemy import text

from crm.delivery import Channel, render
from crm.delivery.enqueue import enqueue
from crm.delivery.issuing import NoticeNotWhole, check_notice
from crm.delivery.letters import LETTERS
from crm.delivery.message import NewMessage, Recipient
from crm.delivery.render import Sources
from crm.rules.refusal import Refusal
from tests.delivery.examples import context_of

NOW = datetime(2026, 7, 14, 12, tzinfo=UTC)
NOTICES = [kind for kind, letter in LETTERS.items() if letter.statutory]
FILES = [kind for kind, letter in LETTERS.items() if letter.goes_as_file]


def written(kind: str, sources: Sources | None = None, **changes):
    context = context_of(kind, **changes)
    return context, render.write_words(LETTERS[kind], context, Channel.EMAIL, sources=sources)


def message(kind: str, **changes) -> NewMessage:
    return NewMessage(
        kind=kind, channel=Channel.EMAIL, to=Recipient(email="priya@example.org"), dedupe_key=f"{kind}:1",
        context=context_of(kind, **changes), reader="Priya Whitlock",
    )  # fmt: skip


@pytest.mark.parametrize("kind", NOTICES)
def test_every_notice_in_the_product_s_own_words_can_be_issued(kind: str) -> None:
    context, words = written(kind)
    check_notice(LETTERS[kind], context, words)


@pytest.mark.parametrize("kind", NOTICES)
def test_none_can_without_something_that_it_must_say(kind: str) -> None:
    letter = LETTERS[kind]
    own = render.default_sources(letter)
    for name in letter.must_say:
        if isinstance(context_of(kind).get(name), bool) or context_of(kind).get(name) is None:
            continue
        body = re.sub(rf"\{{\{{ {name}\b[^}}]*\}}\}}", "", own.body)
        context, words = written(kind, Sources(own.subject, body, own.text))
        with pytest.raises(NoticeNotWhole, match="does not say"):
            check_notice(letter, context, words)


def test_reasons_of_nothing_but_spaces_are_none() -> None:
    context, words = written("stage_one_refusal", reasons="  \n ")
    with pytest.raises(NoticeNotWhole, match="does not say"):
        check_notice(LETTERS["stage_one_refusal"], context, words)


@pytest.mark.parametrize("offer", ["Independent Review Mechanism", "irm", "Representations"])
def test_a_stage_one_refusal_offers_no_review_whoever_typed_it(offer: str) -> None:
    context, words = written("stage_one_refusal", reasons=f"There was no room. You may turn to the {offer}.")
    with pytest.raises(NoticeNotWhole, match="the law gives none here"):
        check_notice(LETTERS["stage_one_refusal"], context, words)


def test_a_determination_speaks_of_the_review_but_not_to_who_is_disqualified() -> None:
    letter = LETTERS["qualifying_determination"]
    for is_disqualified in (False, True):
        context, words = written(letter.kind, is_disqualified=is_disqualified)
        check_notice(letter, context, words)
        assert ("Independent Review Mechanism" in words.text) is not is_disqualified
    offered = render.default_sources(letter).body.replace("You cannot ask for an independent review",
                                                          "Ask the Independent Review Mechanism")  # fmt: skip
    own = render.default_sources(letter)
    context, words = written(letter.kind, Sources(own.subject, offered, None), is_disqualified=True)
    with pytest.raises(NoticeNotWhole, match="the law gives none here"):
        check_notice(letter, context, words)
    silent = own.body.replace("Independent Review Mechanism", "another office")
    context, words = written(letter.kind, Sources(own.subject, silent, None), is_disqualified=False)
    with pytest.raises(NoticeNotWhole, match="by law it speaks of"):
        check_notice(letter, context, words)


def test_nothing_is_written_where_a_notice_is_not_whole(session) -> None:
    with pytest.raises(Refusal):
        enqueue(message("stage_one_refusal", reasons="Ask the IRM."), now=NOW)
    assert session.execute(text("SELECT count(*) FROM outbound_message")).scalar() == 0


@pytest.mark.parametrize("kind", FILES)
def test_a_notice_by_email_comes_with_itself_as_a_tagged_file(session, kind: str) -> None:
    row = enqueue(message(kind), now=NOW)
    parts = [part for part in BytesParser(policy=default).parsebytes(row.payload).walk() if not part.is_multipart()]
    files = [part for part in parts if part.get_content_type() == "application/pdf"]

    assert len(files) == 1
    content = files[0].get_payload(decode=True)
    text = " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages).split())
    assert "Priya Whitlock" in text
    assert context_of(kind)["reference"] in text
    assert kind.replace("_", "-") not in files[0].get_filename()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert pdf.Root.MarkInfo.Marked
        assert "/StructTreeRoot" in pdf.Root
    session.rollback()


def test_days_are_looked_for_in_any_way_they_are_written() -> None:
    context, words = written("stage_one_passed", decided_on=date(2026, 7, 14))
    check_notice(LETTERS["stage_one_passed"], context, words)
    with pytest.raises(NoticeNotWhole):
        check_notice(LETTERS["stage_one_passed"], {**context, "decided_on": date(2026, 7, 15)}, words)
