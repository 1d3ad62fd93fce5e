"""Words for a letter are kept only when they merge in what that letter has, and say what the law wants said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crm.delivery import Channel, configure, render
from crm.delivery.letter_words import WordsNotKept, check_words, context_of, example_of
from crm.delivery.letters import LETTERS, PASSAGES
from crm.delivery.merge_fields import BY_POST, FORMATS, MERGE_FIELDS, About, FieldType
from crm.settings import Settings
from tests.delivery.examples import SERVICE


@pytest.fixture(scope="module", autouse=True)
def room(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Letters are written from somewhere; no database is needed for it."""
    data = tmp_path_factory.mktemp("data")
    configure(Settings.from_environ({"CRM_ENV": "test", "CRM_DATA": str(data)}))


EDITED = [kind for kind, letter in LETTERS.items() if not letter.fixed_words]
PACK = LETTERS["information_pack"]
GOOD = render.Sources("About fostering\n", "# Hello {{ first_name }}\n\nHere is what you asked for, and a few words.\n")


def refused(letter: Any, sources: render.Sources) -> WordsNotKept:
    with pytest.raises(WordsNotKept) as refusal:
        check_words(letter, sources, service=SERVICE)
    return refusal.value


@pytest.mark.parametrize("kind", EDITED)
def test_the_products_own_words_may_be_kept(kind: str) -> None:
    check_words(LETTERS[kind], render.default_sources(LETTERS[kind]), service=SERVICE)


@pytest.mark.parametrize("kind", EDITED)
def test_every_field_that_a_letter_declares_has_its_line_in_the_list(kind: str) -> None:
    assert LETTERS[kind].known_fields <= MERGE_FIELDS.keys(), "add it to crm/delivery/merge_fields.py"


def test_only_the_letters_that_cannot_do_without_name_another_person() -> None:
    naming = {
        kind
        for kind, letter in LETTERS.items()
        if kind in EDITED and any(MERGE_FIELDS[name].about is About.OTHER_PERSON for name in letter.known_fields)
    }

    assert naming == {"visit_invitation", "check_request", "reference_request", "reference_reminder"}


def written(name: str) -> str:
    formats = FORMATS[MERGE_FIELDS[name].type]
    return f"{{{{ {name}{'|' + formats[0] if formats else ''} }}}}"


@pytest.mark.parametrize("kind", EDITED)
def test_no_letter_can_print_a_field_that_is_not_its_own(kind: str) -> None:
    """Every kind with every field there is: refused as it is kept, and not there should it be written all the same."""
    letter = LETTERS[kind]
    own = render.default_sources(letter)
    everything = {name: f"Canary{n}" for n, name in enumerate(MERGE_FIELDS)}
    everything = {**everything, **context_of(letter, service=SERVICE)}
    for name in MERGE_FIELDS.keys() - letter.known_fields:
        # Behind the letter's own words as somebody would put it; the rest by itself, which takes a tenth of the time.
        for body in (
            f"{own.body}\n\n{written(name)}\n",
            f"{{% if {name} %}}yes{{% endif %}}",
            f"{{{{ 'a' if {name} else 'b' }}}}",
        ):
            refusal = refused(letter, replace(own, body=body))
            assert (refusal.field, name in refusal.message) == ("body", True)
        words = None
        try:
            sources = replace(own, body=f"{{{{ {name} }}}}")
            words = render.write_words(letter, everything, letter.channels[0], sources=sources)
        except Exception:  # it is not there: that is the point
            continue
        assert "Canary" not in words.text, name


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{{ frist_name }}", "no field frist_name"),
        ("{{ first_name", "not finished"),
        ("{% if first_name %}", "not finished"),
        ("{{ first_name.__class__ }}", "only fields"),
        ("{{ first_name|upper }}", "can’t be written like that"),
        ("{{ first_name|attr('x') }}", "only fields"),
        ("{{ service }}", "can be asked about"),
        ("{{ service.complaints }}", "no service.complaints"),
        ("{{ service['name'] }}", "only fields"),
        ("{{ service.__init__ }}", "no service.__init__"),
        ("{{ by_post }}", "can be asked about"),
        ("{{ 7 * 7 }}", "only fields"),
        ("{{ 'words' }}", "only fields"),
        ("{{ cycler }}", "no field cycler"),
        ("{{ range(10) }}", "only fields"),
        ("{% for n in reference %}x{% endfor %}", "only fields"),
        ("{% set x = 1 %}", "only fields"),
        ("{% macro a() %}{% endmacro %}", "only fields"),
        ("{% include 'email/layout.html' %}", "no such passage"),
        ("{% include '../../etc/passwd' %}", "no such passage"),
        ("{% include reference %}", "no such passage"),
        ("{% extends 'email/layout.html' %}", "only fields"),
        ("{% import 'email/layout.html' as l %}", "only fields"),
        ("{% if first_name == 1 %}x{% endif %}", "only fields"),
        ("{% if first_name|length %}x{% endif %}", "only fields"),
        ("{% if reference in first_name %}x{% endif %}", "only fields"),
        ("{{ 'a' if cycler else 'b' }}", "no field cycler"),
        ("{% if " + "(" * 900 + "first_name" + ")" * 900 + " %}x{% endif %}", ""),
        ("x " * 6_001, "characters or fewer"),
        ("", "Write the words"),
        ("Hello", "a few words at least"),
    ],
)
def test_what_is_not_a_field_a_passage_or_a_question_is_refused(body: str, says: str) -> None:
    filling = "# Hello\n\nHere are a few words for you to read.\n\n" if body not in ("", "Hello") else ""

    refusal = refused(PACK, replace(GOOD, body=filling + body))

    assert refusal.field == "body"
    assert says in refusal.message


@pytest.mark.parametrize("name", ["decided_on", "starts_at", "minutes", "officers", "reasons", "checks"])
def test_a_field_is_written_in_a_way_that_people_read(name: str) -> None:
    letter = next(LETTERS[kind] for kind in EDITED if name in LETTERS[kind].known_fields)
    own = render.default_sources(letter)

    assert "Write one of" in refused(letter, replace(own, body=f"{own.body}\n\n{{{{ {name} }}}}")).message


@pytest.mark.parametrize("name", sorted(PACK.known_fields - {"service", "reference"}))
def test_a_subject_says_nothing_that_a_stranger_may_not_read(name: str) -> None:
    refusal = refused(PACK, replace(GOOD, subject=f"For you: {written(name)}"))

    assert (refusal.field, "anybody can read it" in refusal.message) == ("subject", True)


@pytest.mark.parametrize("subject", ["", "Hi\nBcc: all@example.org", "x" * 151])
def test_a_subject_is_one_line_of_some_words(subject: str) -> None:
    assert refused(PACK, replace(GOOD, subject=subject)).field == "subject"


STATUTORY = [kind for kind, letter in LETTERS.items() if letter.statutory]


@pytest.mark.parametrize("kind", STATUTORY)
def test_a_statutory_letter_keeps_what_makes_it_one(kind: str) -> None:
    letter = LETTERS[kind]
    assert letter.must_say, "say in the catalogue what this notice has to hold"
    bare = "# Dear {{ first_name }}\n\nThese are a few words and nothing of what the law wants said.\n"

    refusal = refused(letter, replace(render.default_sources(letter), body=bare))

    assert refusal.message.startswith("This letter must say")


@pytest.mark.parametrize("kind", [kind for kind in STATUTORY if LETTERS[kind].must_include])
def test_a_notice_keeps_how_to_complain(kind: str) -> None:
    own = render.default_sources(LETTERS[kind])

    without = replace(own, body=own.body.replace('{% include "email/_complain.txt" %}', ""))

    assert PASSAGES["email/_complain.txt"] in refused(LETTERS[kind], without).message


def test_a_qualifying_determination_keeps_both_ways_and_a_stage_one_notice_offers_none() -> None:
    determination, refusal = LETTERS["qualifying_determination"], LETTERS["stage_one_refusal"]
    own = render.default_sources(determination)
    for phrase in determination.must_mention:
        assert phrase in refused(determination, replace(own, body=own.body.replace(phrase, "something"))).message
    own = render.default_sources(refusal)
    offering = replace(own, body=f"{own.body}\n\nYou can ask the Independent Review Mechanism.\n")
    assert "must not speak of it" in refused(refusal, offering).message


def test_what_is_not_always_known_is_asked_about_first() -> None:
    letter = LETTERS["enquiry_acknowledgement"]
    own = render.default_sources(letter)

    refusal = refused(letter, replace(own, body=own.body + "\n\nWe ring {{ call_time }}, as you asked us to do."))

    assert "not always known" in refusal.message


def test_a_text_that_is_too_long_is_refused_and_one_that_is_needed_is_asked_for() -> None:
    letter = LETTERS["tried_to_ring"]
    own = render.default_sources(letter)

    assert "too long" in refused(letter, replace(own, text="word " * 100)).message
    assert "Write the text message too" in refused(letter, replace(own, text=None)).message
    assert "has no text message" in refused(PACK, replace(GOOD, text="Hello")).message


def test_a_link_in_new_words_is_text_unless_it_leads_to_the_web() -> None:
    body = GOOD.body + "\n\n[Press](javascript:alert(1)) and [look](https://example.org/x)\n"

    words = example_of(PACK, replace(GOOD, body=body), Channel.EMAIL, service=SERVICE)

    assert "javascript" not in render.write_html(words, SERVICE)


def test_merged_in_words_are_no_markup_in_new_words_either() -> None:
    context = {**context_of(PACK, service=SERVICE), "first_name": "[x](https://evil.example.org) **b** {{ 7*7 }}"}

    words = render.write_words(PACK, context, Channel.EMAIL, sources=GOOD)

    assert not [run for block in words.blocks for line in block.lines for run in line if run.url or run.strong]
    assert "{{ 7*7 }}" in words.text


def test_the_list_of_fields_has_an_example_for_each_that_reads() -> None:
    for name, field in MERGE_FIELDS.items():
        assert field.type is not FieldType.WORDS or field.example, f"{name} needs an example"
        assert name != BY_POST
