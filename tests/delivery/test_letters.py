"""Every letter is whole in every channel, says the same in each, and says nothing that it must not."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pypdf
import pytest

from crm.delivery import Channel, Recipient, markup, mime, render
from crm.delivery.letters import LETTERS, Audience
from tests.delivery.examples import FIELDS, NOW, SERVICE, context_of
from tests.delivery.right_recipient import kinds_of_subject

POSTAL = Recipient(postal=("Maya Okafor", "4 Hill Top Road", "London", "SE13 5KO"))
EVERY = [(kind, channel) for kind, letter in LETTERS.items() for channel in letter.channels]


def words_of(text: str) -> list[str]:
    return re.findall(r"[\w’]+", text)


def test_the_catalogue_the_folders_and_the_examples_name_the_same_letters():
    folders = {path.name for path in (render.templates_dir() / "email").iterdir() if path.is_dir()}

    assert folders == set(LETTERS) == set(FIELDS)


@pytest.mark.parametrize(("kind", "channel"), EVERY)
def test_a_letter_is_written_out_in_full(kind, channel):
    letter = LETTERS[kind]
    assert set(letter.all_fields) <= set(context_of(kind)), "the example lacks a field"

    words = render.write_words(letter, context_of(kind), channel)

    assert words.subject
    assert channel == Channel.TEXT or len(words.blocks) >= 3
    assert not re.search(r"\{[{%]|None|Undefined|[\ue000-\uf8ff]|datetime|\*\*|\]\(", words.text), words.text
    assert "  " not in words.text.replace("\n    ", "\n")
    assert kind in kinds_of_subject(words.subject)


@pytest.mark.parametrize("kind", LETTERS)
def test_a_letter_without_one_of_its_fields_is_not_written(kind):
    letter = LETTERS[kind]
    for field in letter.all_fields:
        context = context_of(kind)
        del context[field]
        with pytest.raises(render.MergeFieldMissing, match=field):
            render.write_words(letter, context, letter.channels[0])


@pytest.mark.parametrize("kind", LETTERS)
def test_optional_fields_may_all_be_left_out(kind):
    letter = LETTERS[kind]
    context = {field: value for field, value in context_of(kind).items() if field in letter.all_fields}

    for channel in letter.channels:
        words = render.write_words(letter, context, channel)
        assert "None" not in words.text


@pytest.mark.parametrize("kind", [kind for kind, letter in LETTERS.items() if Channel.EMAIL in letter.channels])
def test_the_html_says_what_the_plain_text_says(kind):
    words = render.write_words(LETTERS[kind], context_of(kind), Channel.EMAIL)

    html = render.write_html(words, SERVICE)

    body = re.sub(r"<[^>]+>", " ", html.partition("<body")[2])
    plain = re.sub(r"\(?https?://\S+\)?", " ", words.text)
    missing = [word for word in words_of(plain) if word not in words_of(body)]
    assert not missing
    assert not re.search(r"<(img|script|link|form|iframe)\b|url\(", html)


@pytest.mark.parametrize("kind", [kind for kind, letter in LETTERS.items() if Channel.POST in letter.channels])
def test_the_printed_page_says_what_the_letter_says(kind):
    letter = LETTERS[kind]
    words = render.write_words(letter, context_of(kind), Channel.POST)

    pdf = pypdf.PdfReader(io.BytesIO(render.write_page(letter, words, context_of(kind), POSTAL, NOW)))

    page = "\n".join(sheet.extract_text() for sheet in pdf.pages)
    squeezed = re.sub(r"[^\w]", "", page)
    lost = [word for word in words_of(words.text) if re.sub(r"\W", "", word) not in squeezed]
    assert not lost
    assert "Maya Okafor" in page
    assert "8 July 2026" in page
    assert tuple(round(float(side)) for side in pdf.pages[0].mediabox[2:]) == (595, 842)
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"], "not tagged, so a screen reader can't follow it"


def test_printing_the_same_letter_again_gives_the_same_bytes():
    letter = LETTERS["approval_notice"]
    words = render.write_words(letter, context_of("approval_notice"), Channel.POST)

    first = render.write_page(letter, words, context_of("approval_notice"), POSTAL, NOW)

    assert render.write_page(letter, words, context_of("approval_notice"), POSTAL, NOW) == first


@pytest.mark.parametrize("kind", LETTERS)
def test_no_subject_says_who_or_why(kind):
    tell_tale = context_of(kind)
    for field in ("first_name", "reasons", "about_names", "place", "met_name", "terms", "event_name"):
        if field in tell_tale:
            tell_tale[field] = f"Telltale {field}"

    words = render.write_words(LETTERS[kind], tell_tale, Channel.EMAIL)

    assert "Telltale" not in words.subject


@pytest.mark.parametrize("kind", [kind for kind, letter in LETTERS.items() if not letter.contains_sensitive])
def test_an_ordinary_letter_has_no_delicate_words(kind):
    from tests.delivery.right_recipient import DELICATE

    words = render.write_words(LETTERS[kind], context_of(kind), Channel.EMAIL)

    assert not DELICATE.search(words.text)


@pytest.mark.parametrize("kind", [k for k, letter in LETTERS.items() if letter.audience is Audience.OFFICER])
def test_what_goes_into_an_officers_calendar_names_nobody_of_the_household(kind):
    assert "full_name" not in LETTERS[kind].all_fields
    words = render.write_words(LETTERS[kind], {**context_of(kind), "first_name": "Sam"}, Channel.EMAIL)

    assert "Maya" not in words.text
    assert "KF-7Q3M9X" in words.text


# --- What the law says about particular letters -----------------------------------------------------------------------


def test_a_stage_one_refusal_gives_reasons_and_the_complaints_route_and_offers_no_review():
    words = render.write_words(LETTERS["stage_one_refusal"], context_of("stage_one_refusal"), Channel.POST)

    assert "You told us that you are moving house in the autumn." in words.text
    assert "complaints procedure" in words.text
    assert not re.search(r"IRM|[Ii]ndependent [Rr]eview|representation|28 days|appeal", words.text)


def test_a_qualifying_determination_offers_both_routes_and_says_that_it_is_one_or_the_other():
    text = render.write_words(
        LETTERS["qualifying_determination"], context_of("qualifying_determination"), Channel.POST
    ).text

    assert "You have 28 days from the date of this notice" in text
    assert "representations" in text
    assert "Independent Review Mechanism" in text
    assert "You cannot do both" in text
    assert "Monday 14 December 2026" in text
    assert "The panel recommended" in text


def test_a_disqualified_person_is_offered_representations_only():
    context = context_of("qualifying_determination", is_disqualified=True)

    text = render.write_words(LETTERS["qualifying_determination"], context, Channel.POST).text

    assert "representations" in text
    assert "28 days" in text
    assert "Independent Review Mechanism" not in text
    assert "IRM" not in text


def test_an_approval_notice_gives_its_terms_or_says_that_there_are_none():
    with_terms = render.write_words(LETTERS["approval_notice"], context_of("approval_notice"), Channel.POST).text
    without = render.write_words(LETTERS["approval_notice"], context_of("approval_notice", terms=None), Channel.POST)

    assert "Terms of your approval: one child or two siblings, aged 5 to 12" in with_terms
    assert "no special terms" in without.text


def test_a_brief_report_says_what_it_is():
    full = render.write_words(LETTERS["report_shared"], context_of("report_shared"), Channel.POST).text
    brief = render.write_words(LETTERS["report_shared"], context_of("report_shared", is_brief=True), Channel.POST).text

    assert "brief report" not in full
    assert "may not be suitable" in brief


# --- What is merged in never counts as markup -------------------------------------------------------------------------

NASTY = "[Click me](https://evil.example.org) **bold**\n\n# Heading\r\n> box\n- list\u2028~ small \\ end"


def test_a_persons_own_words_never_become_a_link_a_heading_or_a_new_paragraph():
    plain = render.write_words(LETTERS["withdrawal_confirmation"], context_of("withdrawal_confirmation"), Channel.EMAIL)
    nasty = render.write_words(
        LETTERS["withdrawal_confirmation"], context_of("withdrawal_confirmation", first_name=NASTY), Channel.EMAIL
    )

    assert [block.kind for block in nasty.blocks] == [block.kind for block in plain.blocks]
    assert "[Click me](https://evil.example.org) **bold**" in nasty.text
    assert 'href="https://evil' not in render.write_html(nasty, SERVICE)


def test_reasons_of_several_paragraphs_stay_paragraphs_and_nothing_more():
    context = context_of("not_now", reasons=f"First.\n\n\nSecond <b>&amp;</b>.\n{NASTY}")

    words = render.write_words(LETTERS["not_now"], context, Channel.EMAIL)

    assert "First.\n\nSecond <b>&amp;</b>." in words.text
    assert "<b>" not in render.write_html(words, SERVICE)
    assert not any(run.url and "evil" in run.url for block in words.blocks for line in block.lines for run in line)


def test_a_link_that_a_browser_would_run_is_only_words():
    blocks = markup.parse("[Press](javascript:alert(1))\n\n[See](https://kestrel.example.org)")

    assert [block.kind for block in blocks] == ["paragraph", "button"]


def test_hidden_characters_can_not_be_smuggled_in():
    sneaky = "".join(chr(0xE000 + place) for place in range(11))

    assert markup.hide(sneaky) == ""


def test_a_letter_of_a_service_whose_address_was_kept_with_commas_prints_it():
    context = context_of("not_now", service=replace(SERVICE, address="12 Harbour Row, Deptford, London SE8 3OV"))
    words = render.write_words(LETTERS["not_now"], context, Channel.POST)

    pdf = pypdf.PdfReader(io.BytesIO(render.write_page(LETTERS["not_now"], words, context, POSTAL, NOW)))

    assert "12 Harbour Row, Deptford" in pdf.pages[0].extract_text()


# --- The gate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Kestrel\r\nBcc: a@example.org", "Kestrel Bcc: a@example.org"),
        ("=?UTF-8?Q?x=0ABcc:_a@example.org?=", "= ?UTF-8?Q?x=0ABcc:_a@example.org?="),
        ("=?=?=?", "= ?= ?= ?"),
        ("a\x00b\x0bc\x85d\u2028e\u200bf", "a b c d e f"),
        ("x" * 300, "x" * 200),
        ("  spaced   out ", "spaced out"),
    ],
)
def test_a_value_bound_for_a_header_is_on_one_line_with_nothing_hidden_in_it(typed, kept):
    assert mime.header_text(typed) == kept


@pytest.mark.parametrize(
    "address",
    ["", None, "maya", "maya@", "@example.org", "a b@example.org", "a@example.org, b@example.org", '"a b"@example.org',
     "a@[127.0.0.1]", "a@example.org\r\nBcc: b@example.org", "a@exa mple.org", "a@@example.org", "é@example.org",
     "a..b@example.org", "a@-example.org", "a@" + "x" * 250 + ".org", "a" * 65 + "@example.org",
     "=?x?q?a?=@example.org b@example.org", "a@example.org\x00"],
)  # fmt: skip
def test_what_is_not_one_plain_address_is_refused(address):
    from crm.delivery.message import UnsendableAddress, sendable_address

    with pytest.raises(UnsendableAddress):
        sendable_address(address)


@pytest.mark.parametrize(
    ("typed", "sent_to"),
    [("Maya@Example.ORG", "Maya@example.org"), (" maya+foster@example.org ", "maya+foster@example.org"),
     ("maya@bücher.example.org", "maya@xn--bcher-kva.example.org"), ("o'neill@example.org", "o'neill@example.org")],
)  # fmt: skip
def test_an_ordinary_address_goes_on_the_wire_as_it_should(typed, sent_to):
    from crm.delivery.message import sendable_address

    assert sendable_address(typed) == sent_to
