"""Files that are made to harm: each is refused in words, or made anew without what acts, hides or tells (G22).

What is kept is looked through by two readers that know nothing of each other, and byte by byte.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from typing import Any

import pikepdf
import pypdf
import pytest
from PIL import Image
from pypdf import generic

from crm.files import papers, pictures
from crm.files.accepting import TakenIn, take_in
from crm.files.refused import NotAFile
from crm.rules.refusal import Refusal
from tests.files import hostile
from tests.files.hostile import CANARIES, HOSTILE, Hostile, by_hand, one_page, ordinary, photo, stream, with_photo

# Keys and names that act, call, carry or tell. "/F" counts in streams alone, where it is a file elsewhere.
ACTIVE = frozenset(
    "/JS /JavaScript /AA /A /OpenAction /Launch /URI /GoToR /GoToE /SubmitForm /ImportData /Names /EmbeddedFile "
    "/EmbeddedFiles /EF /AF /RichMedia /3D /3DD /Screen /Rendition /XFA /AcroForm /NeedsRendering /Annots /Metadata "
    "/PieceInfo /Info /Outlines /OCProperties /OC /Properties /Collection /PS /Alternates /Ref /OPI /Thumb".split()
)


def found_in(raw: bytes) -> set[str]:
    """What acts or tells in a file, and which canaries are in it, packed or not."""
    found = _by_pikepdf(raw) | _by_pypdf(raw) if papers.looks_like_one(raw) else set()
    return found | _canaries(raw)


def _canaries(data: bytes) -> set[str]:
    return {
        canary for canary in CANARIES for coded in ("latin-1", "utf-16-be", "utf-16-le") if canary.encode(coded) in data
    }


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data


def _by_pikepdf(raw: bytes) -> set[str]:
    found: set[str] = set()
    with pikepdf.open(io.BytesIO(raw)) as pdf:
        # Of the last part only its own keys: it is how the file is found together.
        for thing in [pikepdf.Dictionary({key: pdf.trailer[key] for key in list(pdf.trailer.keys())}), *pdf.objects]:
            to_do: list[Any] = [thing]
            while to_do:
                one = to_do.pop()
                if isinstance(one, pikepdf.Stream):
                    found |= {"/F"} & set(one.keys())
                    try:
                        found |= _canaries(one.read_bytes())
                    except pikepdf.PdfError:  # a picture, whose bytes are looked at as they are
                        found |= _canaries(_inflated(one.read_raw_bytes()))
                if isinstance(one, (pikepdf.Dictionary, pikepdf.Stream)):
                    found |= ACTIVE & set(one.keys())
                    to_do += [value for _, value in one.items() if not getattr(value, "is_indirect", False)]
                elif isinstance(one, pikepdf.Array):
                    to_do += [value for value in one if not getattr(value, "is_indirect", False)]
                elif isinstance(one, pikepdf.Name):
                    found |= ACTIVE & {str(one)}
                elif isinstance(one, pikepdf.String):
                    found |= _canaries(bytes(one))
    return found


def _by_pypdf(raw: bytes) -> set[str]:
    found: set[str] = set()
    for one in _all_of(pypdf.PdfReader(io.BytesIO(raw))):
        if isinstance(one, generic.StreamObject):
            found |= {"/F"} & set(one)
            try:
                found |= _canaries(one.get_data())
            except Exception:  # it can't unpack everything
                found |= _canaries(_inflated(one._data))
        if isinstance(one, generic.DictionaryObject):
            found |= ACTIVE & set(one)
        elif isinstance(one, generic.NameObject):
            found |= ACTIVE & {str(one)}
        elif isinstance(one, (generic.TextStringObject, generic.ByteStringObject)):
            found |= _canaries(one.original_bytes)
    return found


def _all_of(reader: pypdf.PdfReader) -> Iterator[Any]:
    to_do: list[Any] = [reader.trailer]
    if reader.is_encrypted:
        reader.decrypt("")
    seen: set[tuple[int, int]] = set()
    while to_do:
        one = to_do.pop()
        if isinstance(one, generic.IndirectObject):
            if (one.idnum, one.generation) in seen:
                continue
            seen.add((one.idnum, one.generation))
            one = one.get_object()
        yield one
        if isinstance(one, generic.DictionaryObject):
            to_do += [value for key, value in dict.items(one) if key not in ("/Parent", "/Encrypt")]
        elif isinstance(one, generic.ArrayObject):
            to_do += list(list.__iter__(one))


# --- What is made to harm ---------------------------------------------------------------------------------------------


def test_there_are_as_many_as_were_promised() -> None:
    assert len(HOSTILE) >= 25
    assert len({one.name for one in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize("one", HOSTILE, ids=[one.name for one in HOSTILE])
def test_it_is_refused_in_words_or_made_anew_without_what_harms(one: Hostile) -> None:
    raw = one.build()
    if isinstance(one.outcome, str):
        with pytest.raises(NotAFile, match=one.outcome) as refused:
            take_in(raw)
        assert isinstance(refused.value, Refusal)
        assert refused.value.status == 422
        return

    kept = take_in(raw)

    assert kept.pages == one.outcome
    assert found_in(kept.content) == set()
    assert readable(kept)
    assert b"canary" not in kept.content


def readable(kept: TakenIn) -> bool:
    """Whether others can open what is kept, and it ends where it ends."""
    if kept.media == "application/pdf":
        pages = pypdf.PdfReader(io.BytesIO(kept.content), strict=True).pages
        assert kept.content.startswith(b"%PDF-")
        assert kept.content.endswith(b"%%EOF\n")
        return len(pages) == kept.pages
    picture = Image.open(io.BytesIO(kept.content))
    picture.load()
    return kept.content.endswith(b"\xff\xd9") and not picture.getexif()


@pytest.mark.parametrize("one", [one for one in HOSTILE if one.holds], ids=lambda one: one.name)
def test_the_checker_sees_what_harms_in_the_file_as_it_came(one: Hostile) -> None:
    """Without this, a checker that sees nothing would pass everything."""
    raw = one.build()

    assert found_in(raw) >= one.holds
    for by_one in (_by_pikepdf, _by_pypdf):
        assert one.holds - by_one(raw) <= _canaries(raw)


def test_hardly_any_hostile_paper_is_one_that_the_checker_would_pass() -> None:
    unseen = {one.name for one in HOSTILE if one.outcome == 1 and not one.holds and papers.looks_like_one(one.build())}

    assert unseen == {"a_paper_that_may_be_read_but_not_copied", "a_drawing_that_draws_itself"}


# --- What is ordinary stays -------------------------------------------------------------------------------------------


def words_of(content: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages]


def form(pdf: pikepdf.Pdf, *fields: dict[str, Any], asks: bool = True) -> None:
    font = pdf.pages[0].Resources.Font.F1
    notes = []
    for number, keys in enumerate(fields):
        low = 500 - 40 * number
        field = pikepdf.Dictionary(
            Type=pikepdf.Name.Annot,
            Subtype=pikepdf.Name.Widget,
            T=f"field {number}",
            F=4,
            Rect=[72, low, 372, low + 20],
            DA="/F1 12 Tf 0 g",
            **{"FT": pikepdf.Name.Tx, **keys},
        )
        notes.append(pdf.make_indirect(field))
    pdf.pages[0].Annots = pikepdf.Array(notes)
    pdf.Root.AcroForm = pikepdf.Dictionary(
        Fields=pikepdf.Array(notes), DR=pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font)), DA="/F1 12 Tf 0 g"
    )
    if asks:
        pdf.Root.AcroForm.NeedAppearances = True


def drawn(pdf: pikepdf.Pdf, words: str) -> pikepdf.Dictionary:
    fonts = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=pdf.pages[0].Resources.Font.F1))
    look = pdf.make_stream(f"BT /F1 12 Tf 2 5 Td ({words}) Tj ET".encode(), Subtype=pikepdf.Name.Form)
    look.BBox = pikepdf.Array([0, 0, 300, 20])
    look.Resources = fonts
    return pikepdf.Dictionary(N=look)


def test_a_paper_keeps_its_pages_and_their_words() -> None:
    kept = papers.rebuild(ordinary(pages=2))

    assert kept.pages == 2
    assert words_of(kept.content) == [f"{hostile.WORDS_ON_PAGE}, page {number}" for number in (1, 2)]


def test_the_same_paper_comes_out_the_same() -> None:
    assert papers.rebuild(ordinary()) == papers.rebuild(ordinary())


@pytest.mark.parametrize("asks", [True, False], ids=["asked_to_be_drawn", "not_drawn"])
def test_an_answer_that_was_never_drawn_is_drawn_into_the_page(asks: bool) -> None:
    raw = ordinary(lambda pdf: form(pdf, {"V": "Renée Thompson"}, asks=asks), pages=2)
    kept = papers.rebuild(raw)

    assert "Renée Thompson" not in "".join(words_of(raw))
    assert "Renée Thompson" in words_of(kept.content)[0]
    assert hostile.WORDS_ON_PAGE in words_of(kept.content)[0]
    assert kept.pages == 2


@pytest.mark.parametrize("asks", [True, False])
def test_an_answer_as_its_reader_drew_it_stays_where_it_is_more_than_a_line_or_other_letters(asks: bool) -> None:
    def change(pdf: pikepdf.Pdf) -> None:
        form(
            pdf,
            {"V": "Zażółć", "AP": drawn(pdf, "as it was drawn")},
            {"V": "One\nTwo", "Ff": 1 << 12, "AP": drawn(pdf, "both lines")},
            {"V": "Thirty", "AP": drawn(pdf, "Thirty")},
            asks=asks,
        )

    (words,) = words_of(papers.rebuild(ordinary(change)).content)

    for answer in ("as it was drawn", "both lines", "Thirty"):
        assert answer in words


def test_an_answer_that_is_longer_than_its_box_is_drawn_smaller_and_a_choice_as_it_is_shown() -> None:
    choices = [["3", "More than (three) years"], ["4", "Less"]]

    def change(pdf: pikepdf.Pdf) -> None:
        form(
            pdf,
            {"V": "W" * 80},
            {"V": "3", "FT": pikepdf.Name.Ch, "Opt": choices},
            {"V": "hush", "Ff": 1 << 13},
        )

    kept = papers.rebuild(ordinary(change)).content
    (words,) = words_of(kept)

    assert "W" * 80 in words
    assert "More than (three) years" in words
    assert "hush" not in words
    sizes = [
        float(found)
        for one in _all_of(pypdf.PdfReader(io.BytesIO(kept)))
        if isinstance(one, generic.StreamObject) and one.get("/Subtype") == "/Form"
        for found in re.findall(rb"/F ([0-9.]+) Tf", one.get_data())
    ]
    assert sorted(sizes) == [5.52, 12.0]


@pytest.mark.parametrize("keys", [{"V": "Zażółć"}, {"V": "One\nTwo", "Ff": 1 << 12}], ids=["letters", "lines"])
def test_an_answer_that_would_be_lost_is_not_lost_in_silence(keys: dict[str, Any]) -> None:
    with pytest.raises(papers.NotAPaper, match="print it to a new PDF"):
        papers.rebuild(ordinary(lambda pdf: form(pdf, keys)))


def test_a_tick_stays_and_the_box_is_none_any_more() -> None:
    def change(pdf: pikepdf.Pdf) -> None:
        looks = pikepdf.Dictionary(Yes=drawn(pdf, "ticked").N, Off=drawn(pdf, "unticked").N)
        keys = {"FT": pikepdf.Name.Btn, "AS": pikepdf.Name.Yes, "AP": pikepdf.Dictionary(N=looks)}
        form(pdf, {}, asks=False)
        for key, value in keys.items():
            pdf.pages[0].Annots[0]["/" + key] = value

    kept = papers.rebuild(ordinary(change)).content

    assert "ticked" in words_of(kept)[0]
    assert "unticked" not in words_of(kept)[0]
    assert "/Annots" not in pypdf.PdfReader(io.BytesIO(kept)).pages[0]


def test_what_is_handed_down_to_a_page_and_how_it_is_turned_stay() -> None:
    raw = by_hand(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] /MediaBox [0 0 300 400] /CropBox [0 0 200 300] /Rotate 450 >>",
        b"<< /Type /Pages /Count 1 /Parent 2 0 R /Kids [4 0 R] >>",
        b"<< /Type /Page /Parent 3 0 R >>",
    )
    (page,) = pypdf.PdfReader(io.BytesIO(papers.rebuild(raw).content)).pages

    assert (page.mediabox.width, page.cropbox.height, page.rotation) == (300, 300, 90)


def test_a_scan_keeps_its_picture_dot_for_dot() -> None:
    scan = Image.effect_noise((620, 877), 60)
    as_pdf = io.BytesIO()
    scan.save(as_pdf, "PDF", quality=90)
    kept = papers.rebuild(as_pdf.getvalue())
    (before,) = pypdf.PdfReader(as_pdf).pages[0].images
    (after,) = pypdf.PdfReader(io.BytesIO(kept.content)).pages[0].images

    assert after.image is not None
    assert before.image is not None
    assert after.image.size == (620, 877)
    assert after.image.tobytes() == before.image.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
@pytest.mark.parametrize("progressive", [True, False])
def test_a_photo_keeps_every_dot_when_it_loses_what_was_beside_it(mode: str, progressive: bool) -> None:
    bands = [Image.effect_noise((90, 70), 50) for _ in mode]
    picture = Image.merge(mode, bands)
    out = io.BytesIO()
    picture.save(out, "JPEG", progressive=progressive, comment=b"canary", icc_profile=b"canary" * 20_000)
    bare = papers.bare_jpeg(out.getvalue() + b"canary")

    assert b"canary" not in bare
    assert Image.open(io.BytesIO(bare)).tobytes() == Image.open(out).tobytes()


def test_a_photo_of_the_newer_kind_keeps_every_dot_too() -> None:
    out = io.BytesIO()
    Image.merge("RGB", [Image.effect_noise((90, 70), 50)] * 3).save(out, "JPEG2000", comment="canary")
    bare = papers.bare_jp2(out.getvalue())

    assert b"canary" in out.getvalue()
    assert b"canary" not in bare
    assert Image.open(io.BytesIO(bare)).tobytes() == Image.open(out).tobytes()


def test_small_pictures_among_the_instructions_stay() -> None:
    draws = b"q 9 0 0 9 0 0 cm BI /W 2 /H 2 /CS /G /BPC 8 ID \x00\x80\xff\x10\nEI Q"
    kept = papers.rebuild(one_page(stream(draws))).content

    assert pypdf.PdfReader(io.BytesIO(kept)).pages[0].get_contents().get_data() == draws  # type: ignore[union-attr]


def test_pictures_and_papers_are_told_apart_by_what_is_in_them() -> None:
    assert take_in(photo()).media == pictures.MEDIA
    assert take_in(with_photo(photo())).media == papers.MEDIA


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"%PDF-1.7" + bytes(papers.LARGEST_BYTES), "larger than 15 MB"),
        (b"\xff\xd8\xff" + bytes(pictures.LARGEST_BYTES), "larger than 8 MB"),
    ],
    ids=["paper", "photo"],
)
def test_what_is_too_large_is_refused_before_anything_looks_at_it(
    raw: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("it was looked at"))
    with pytest.raises(NotAFile, match=words):
        take_in(raw)


def test_a_paper_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers, "LONGEST_S", 0.001)
    with pytest.raises(papers.NotAPaper, match="takes too long"):
        papers.rebuild(ordinary())


def test_what_is_no_paper_is_none() -> None:
    with pytest.raises(papers.NotAPaper, match="not a PDF"):
        papers.rebuild(bytes(1020) + b"%PDF-1.7")
