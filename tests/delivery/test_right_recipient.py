"""The checker of every letter catches each way for the wrong thing to reach the wrong person."""

from __future__ import annotations

import pytest

from crm.db import transaction
from crm.delivery import Attachment, Channel, enqueue, mime, render
from crm.delivery.letters import LETTERS
from tests.delivery.examples import NOW, SERVICE, context_of, invitation_bytes, invitation_message, new_message
from tests.delivery.right_recipient import WrongRecipient, assert_right_recipient, watch_every_letter

MAYA = "maya@example.org"


def raw_of(kind="information_pack", *, invitation=None, attachment=None, **changes):
    words = render.write_words(LETTERS[kind], context_of(kind, **changes), Channel.EMAIL)
    return mime.build(
        mime.Email(
            sender="visits@kestrel.example.org" if invitation else "hello@kestrel.example.org",
            sender_name=SERVICE.name,
            to=MAYA,
            subject=words.subject,
            message_id=mime.message_id_for("x", "example.org"),
            date=NOW,
            text=words.text,
            html=render.write_html(words, SERVICE),
            invitation=invitation,
            attachment=attachment,
        )  # fmt: skip
    )


@pytest.mark.parametrize("kind", [kind for kind, letter in LETTERS.items() if Channel.EMAIL in letter.channels])
def test_every_letter_of_ours_may_leave(kind):
    assert_right_recipient(raw_of(kind), MAYA)


def test_an_invitation_and_a_file_of_ours_may_leave():
    from crm.delivery import Invitation

    assert_right_recipient(raw_of("visit_invitation", invitation=Invitation(invitation_bytes(), "REQUEST")), MAYA)
    assert_right_recipient(raw_of(attachment=Attachment("pack.pdf", b"%PDF-")), MAYA)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda raw: (raw, ["maya@example.org", "daniel@example.org"]), "2 recipients"),
        (lambda raw: (raw, []), "0 recipients"),
        (lambda raw: (raw, "daniel@example.org"), "not the envelope's recipient"),
        (lambda raw: (raw.replace(b"To: ", b"To: daniel@example.org, ", 1), MAYA), "not the envelope's recipient"),
        (lambda raw: (b"Bcc: daniel@example.org\r\n" + raw, MAYA), "the headers are"),
        (lambda raw: (b"Cc: daniel@example.org\r\n" + raw, MAYA), "the headers are"),
        (lambda raw: (b"X-Case: KF-7Q3M9X\r\n" + raw, MAYA), "the headers are"),
        (lambda raw: (raw.replace(b"About fostering", b"Maya Okafor, DBS result"), MAYA), "neutral list"),
        (lambda raw: (raw.replace(b"Training before", b"Your DBS before"), MAYA), "'DBS'"),
        (lambda raw: (raw.replace(b"Training before", b"Your medical before"), MAYA), "'medical'"),
        (lambda raw: (raw.replace(b"<h1 ", b"<img src=3D'x'><h1 ", 1), MAYA), "HTML fetches"),
        (lambda raw: (raw.replace(b"<h1 ", b"<h1 style=3D'background:url(x)' ", 1), MAYA), "HTML fetches"),
    ],
)
def test_a_letter_that_must_not_leave_is_caught(spoil, why):
    raw, envelope = spoil(raw_of())

    with pytest.raises(WrongRecipient, match=why):
        assert_right_recipient(raw, envelope)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"SUMMARY:Kestrel visit KF-7Q3M9X", b"SUMMARY:Maya Okafor", "SUMMARY is not neutral"),
        (b"STATUS:", b"LOCATION:4 Hill Top Road\\, SE13 5KO\r\nSTATUS:", "LOCATION holds an address"),
        (b"STATUS:", b"DESCRIPTION:ring maya@example.org\r\nSTATUS:", "an email address"),
        (b"STATUS:", b"DESCRIPTION:about the allegation\r\nSTATUS:", "says .allegation"),
    ],
)
def test_an_invitation_that_says_too_much_is_caught(old, new, why):
    from crm.delivery import Invitation

    raw = raw_of("visit_invitation", invitation=Invitation(invitation_bytes().replace(old, new), "REQUEST"))

    with pytest.raises(WrongRecipient, match=why):
        assert_right_recipient(raw, MAYA)


def test_a_reference_that_looks_like_a_postcode_is_not_taken_for_one():
    from crm.delivery import Invitation

    ics = invitation_bytes().replace(b"KF-7Q3M9X", b"KF-SE83QV")

    assert_right_recipient(raw_of("visit_invitation", invitation=Invitation(ics, "REQUEST")), MAYA)


def test_somebody_elses_name_is_caught_wherever_it_stands():
    raw = raw_of(first_name="Zoë Quill")

    with pytest.raises(WrongRecipient, match="somebody else"):
        assert_right_recipient(raw, MAYA, others=["zoë quill"])


def test_a_delicate_word_may_stand_in_a_letter_that_gives_reasons():
    assert_right_recipient(raw_of("not_now", reasons="A caution from 2011 has to be talked about first."), MAYA)


def test_while_letters_are_watched_a_wrong_one_fails_whoever_wrote_it(session, monkeypatch):
    seen = []
    with watch_every_letter(lambda to, raw: seen.append(to)):
        with transaction():
            enqueue(invitation_message(), now=NOW)
        monkeypatch.setattr(mime, "header_text", lambda value: f"{value} about Maya")
        with pytest.raises(WrongRecipient), transaction():
            enqueue(new_message(), now=NOW)

    assert seen == [MAYA]
