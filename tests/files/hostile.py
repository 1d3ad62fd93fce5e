"""Files that are made to harm, or to tell what their sender did not mean to tell. Each is built here, from nothing."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pikepdf
from pikepdf import Array, Dictionary, Name, String
from PIL import Image

from tests.samples.pictures import bomb, png

PLACE, AUTHOR, SCRIPT, TRACKER = "51.50731", "Mallory Q. Writer", "app.alert('canary')", "https://tracker.example/seen"
CANARIES = (PLACE, AUTHOR, SCRIPT, TRACKER, "<script>canary", "canary.exe")
WORDS_ON_PAGE = "Reference of the twelfth of May"


@dataclass(frozen=True)
class Hostile:
    """A file, and what has to become of it: the number of pages that are kept, or words of why it is refused.

    ``holds``: what the checker has to see in it as it came in."""

    name: str
    build: Callable[[], bytes]
    outcome: int | str
    holds: frozenset[str]


HOSTILE: list[Hostile] = []


def hostile(outcome: int | str, *holds: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    def listed(build: Callable[[], bytes]) -> Callable[[], bytes]:
        HOSTILE.append(Hostile(build.__name__, build, outcome, frozenset(holds)))
        return build

    return listed


# --- Pictures ---------------------------------------------------------------------------------------------------------


def photo(*, size: tuple[int, int] = (64, 48)) -> bytes:
    """As a phone writes it: where it was, a comment, and a small picture of itself that says where, too."""
    small = io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(small, "JPEG", comment=f"small, {PLACE}".encode())
    exif = Image.Exif()
    exif[0x010E] = f"at {PLACE}"
    exif[0x013B] = AUTHOR
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (Decimal("51"), Decimal("30"), Decimal("26"))
    place[29] = PLACE
    out = io.BytesIO()
    picture = Image.new("RGB", size, "blue")
    picture.save(out, "JPEG", exif=exif, comment=f"by {AUTHOR}".encode())
    # Beside it a part such as programs for pictures write, and the small one behind.
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + f"{AUTHOR} {PLACE}".encode() + b"</x:xmpmeta>"
    whole = out.getvalue() + small.getvalue()
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + whole[2:]


@hostile("more than 50 million pixels")
def a_flood_of_dots() -> bytes:
    return bomb()


@hostile("more than 50 million pixels")
def a_few_bytes_that_unpack_to_four_thousand_million_dots() -> bytes:
    return png(width=65_000, height=65_000, rows=bytes(40_000_000))


@hostile("damaged, or cut off")
def a_comment_in_a_png_that_unpacks_to_far_more() -> bytes:
    return png((b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9)))


@hostile("damaged, or cut off")
def a_jpeg_that_is_cut_off() -> bytes:
    return photo(size=(640, 480))[:1200]


@hostile(1)
def a_jpeg_that_is_a_zip_too() -> bytes:
    return photo() + zip_of({"canary.exe": b"MZ canary"})


@hostile(1)
def a_png_with_words_and_a_script_behind_it() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = PLACE
    about = exif.tobytes().removeprefix(b"Exif\0\0")
    return png((b"tEXt", f"Author\0{AUTHOR}".encode()), (b"eXIf", about)) + b"<script>canary</script>"


@hostile(1)
def a_photo_that_says_where_it_was_taken() -> bytes:
    return photo()


@hostile("photos \\(JPEG or PNG\\) and PDFs")
def a_drawing_named_png() -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" onload="{SCRIPT}"/>'.encode()


@hostile("photos \\(JPEG or PNG\\) and PDFs")
def a_page_named_jpg() -> bytes:
    return b"<!doctype html><script>canary</script>"


@hostile("photos \\(JPEG or PNG\\) and PDFs")
def a_gif() -> bytes:
    out = io.BytesIO()
    Image.new("P", (2, 2)).save(out, "GIF")
    return out.getvalue()


@hostile("photos \\(JPEG or PNG\\) and PDFs")
def a_tiff() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (2, 2)).save(out, "TIFF")
    return out.getvalue()


@hostile("HEIC photo")
def a_heic() -> bytes:
    return struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(500)


# --- Neither ----------------------------------------------------------------------------------------------------------


def zip_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return out.getvalue()


@hostile("is empty")
def nothing() -> bytes:
    return b""


@hostile("a program")
def a_program() -> bytes:
    return b"MZ\x90\0" + bytes(60) + b"%PDF-1.4 This program cannot be run in DOS mode."


@hostile("Save it as a PDF")
def a_zip_that_unpacks_to_far_more() -> bytes:
    inner = zip_of({"zeros": bytes(50_000_000)})
    return zip_of({f"{number}.zip": inner for number in range(20)})


@hostile("Save it as a PDF")
def a_letter_with_a_macro() -> bytes:
    parts = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>", "word/vbaProject.bin": b"AutoOpen"}
    return zip_of(parts)


@hostile("Save it as a PDF")
def an_old_letter() -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)


@hostile("Save it as a PDF")
def a_zip_that_is_a_paper_too() -> bytes:
    return zip_of({"first.txt": b""})[:60] + ordinary()


# --- Papers -----------------------------------------------------------------------------------------------------------


def ordinary(change: Callable[[pikepdf.Pdf], None] = lambda pdf: None, *, pages: int = 1, **how: object) -> bytes:
    """A paper with a line of words on each page, after this change to it."""
    with pikepdf.new() as pdf:
        for number in range(1, pages + 1):
            page = pdf.add_blank_page(page_size=(595, 842))
            page.Contents = pdf.make_stream(f"BT /F1 12 Tf 72 700 Td ({WORDS_ON_PAGE}, page {number}) Tj ET".encode())
            font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
            page.Resources = Dictionary(Font=Dictionary(F1=pdf.make_indirect(font)))
        change(pdf)
        out = io.BytesIO()
        pdf.save(out, fix_metadata_version=False, **how)  # type: ignore[arg-type]
    return out.getvalue()


def by_hand(*objects: bytes, root: bytes = b"1 0 R") -> bytes:
    """A paper of these objects, numbered from one, with a table of where each is."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, root, table)
    return bytes(out)


def stream(data: bytes, keys: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), keys, data)


def one_page(contents: bytes, *more: bytes, resources: bytes = b"<< >>") -> bytes:
    """One page that draws the fourth object; more objects are numbered from five."""
    return by_hand(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources %s >>" % resources,
        contents,
        *more,
    )


def _script() -> Dictionary:
    return Dictionary(S=Name.JavaScript, JS=String(SCRIPT))


def _note(subtype: str, **keys: object) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        rect = Array([72, 600, 200, 620])
        note = Dictionary(Type=Name.Annot, Subtype=Name("/" + subtype), Rect=rect, **keys)  # type: ignore[arg-type]
        pdf.pages[0].Annots = Array([pdf.make_indirect(note)])

    return change


@hostile(1, "/OpenAction", "/JS", "/JavaScript", SCRIPT)
def a_script_when_it_is_opened() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.OpenAction = _script()

    return ordinary(change)


@hostile(1, "/AA", "/JS", SCRIPT)
def scripts_when_a_page_is_turned() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.AA = Dictionary(WC=_script())
        pdf.pages[0].AA = Dictionary(O=_script(), C=_script())

    return ordinary(change)


@hostile(1, "/Names", "/JS", SCRIPT)
def a_script_by_name() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("a"), pdf.make_indirect(_script())])))

    return ordinary(change)


@hostile(1, "/JS", SCRIPT)
def a_script_in_a_packed_object() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.OpenAction = pdf.make_indirect(_script())

    return ordinary(change, object_stream_mode=pikepdf.ObjectStreamMode.generate)


@hostile(1, "/Launch", "canary.exe")
def a_program_that_is_started() -> bytes:
    return ordinary(_note("Link", A=Dictionary(S=Name.Launch, F=String("canary.exe"))))


@hostile(1, "/URI", TRACKER)
def a_link_that_tells_who_reads() -> bytes:
    return ordinary(_note("Link", A=Dictionary(S=Name.URI, URI=String(TRACKER))))


@hostile(1, "/GoToR", "canary.exe")
def a_link_into_another_file() -> bytes:
    elsewhere = Dictionary(S=Name.GoToR, F=String("\\\\server\\canary.exe"), D=Array([0, Name.Fit]))
    return ordinary(_note("Link", A=elsewhere))


@hostile(1, "/SubmitForm", TRACKER)
def a_form_that_sends_itself() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        _note("Widget", FT=Name.Btn, T=String("send"), A=Dictionary(S=Name.SubmitForm, F=String(TRACKER)))(pdf)
        pdf.Root.AcroForm = Dictionary(Fields=Array([pdf.pages[0].Annots[0]]))

    return ordinary(change)


@hostile(1, "/EmbeddedFiles", "/EF", "canary.exe")
def other_files_inside() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.attachments["canary.exe"] = pikepdf.AttachedFileSpec(pdf, b"MZ canary.exe", filename="canary.exe")

    return ordinary(change)


@hostile("folder with other files", "/Collection")
def a_folder_of_files() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.Collection = Dictionary(View=Name.D)

    return ordinary(change)


@hostile(1, "/RichMedia", SCRIPT)
def a_film_with_a_script() -> bytes:
    content = Dictionary(Assets=Dictionary(Names=Array([String("a"), Dictionary(F=String("a.swf"))])))
    return ordinary(_note("RichMedia", RichMediaContent=content, JS=String(SCRIPT)))


@hostile(1, "/3D", SCRIPT)
def a_model_with_a_script() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        model = pdf.make_stream(b"U3D", Type=Name("/3D"), Subtype=Name.U3D)
        model.OnInstantiate = pdf.make_stream(SCRIPT.encode())
        note = {"/Type": Name.Annot, "/Subtype": Name("/3D"), "/3DD": model, "/Rect": Array([0, 0, 99, 99])}
        pdf.pages[0].Annots = Array([pdf.make_indirect(Dictionary(note))])

    return ordinary(change)


@hostile(1, "/XFA", SCRIPT)
def a_form_with_a_second_form_in_it() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        _note("Widget", FT=Name.Btn, T=String("send"))(pdf)
        scripted = pdf.make_stream(f"<xdp:xdp><script>{SCRIPT}</script></xdp:xdp>".encode())
        pdf.Root.AcroForm = Dictionary(Fields=Array([pdf.pages[0].Annots[0]]), XFA=scripted)

    return ordinary(change)


@hostile("form whose answers", "/XFA", SCRIPT)
def a_form_that_only_one_reader_shows() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.NeedsRendering = True
        pdf.Root.AcroForm = Dictionary(Fields=Array([]), XFA=pdf.make_stream(SCRIPT.encode()))

    return ordinary(change)


@hostile(1, "/JS", "/AA", SCRIPT)
def a_script_in_a_field() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        _note("Widget", FT=Name.Tx, T=String("name"), AA=Dictionary(K=_script(), C=_script()))(pdf)
        pdf.Root.AcroForm = Dictionary(Fields=Array([pdf.pages[0].Annots[0]]), CO=Array([pdf.pages[0].Annots[0]]))

    return ordinary(change)


@hostile(1, "/JS", "/PieceInfo", SCRIPT)
def scripts_where_nobody_looks() -> bytes:
    """In keys that are not of their place: a reader of another kind might follow them."""

    def change(pdf: pikepdf.Pdf) -> None:
        page = pdf.pages[0]
        page.PieceInfo = Dictionary(Program=Dictionary(Private=_script()))
        page.Resources.Font.F1.Note = pdf.make_indirect(_script())
        page.Resources.ExtGState = Dictionary(G=Dictionary(CA=1, OpenAction=_script(), BM=Array([_script()])))
        page.Resources.Properties = Dictionary(P=_script())
        page.Resources.XObject = Dictionary(X=_script())

    return ordinary(change)


@hostile(1, "/PS")
def a_program_for_printers() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        program = pdf.make_stream(b"(canary.exe) run", Type=Name.XObject, Subtype=Name.PS)
        pdf.pages[0].Resources.XObject = Dictionary(P=program)
        pdf.pages[0].Contents = pdf.make_stream(pdf.pages[0].Contents.read_bytes() + b" /P Do")

    return ordinary(change)


@hostile("needs a password")
def a_paper_behind_a_password() -> bytes:
    return ordinary(encryption=pikepdf.Encryption(user="let me in", owner="the owner"))


@hostile(1)
def a_paper_that_may_be_read_but_not_copied() -> bytes:
    return ordinary(encryption=pikepdf.Encryption(user="", owner="the owner"))


@hostile("more than 60 pages")
def ten_thousand_pages() -> bytes:
    kids = b" ".join(b"%d 0 R" % number for number in range(3, 10_003))
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
    pages = b"<< /Type /Pages /Count 10000 /Kids [%s] >>" % kids
    return by_hand(b"<< /Type /Catalog /Pages 2 0 R >>", pages, *[page] * 10_000)


@hostile("unpacks to far more")
def instructions_that_unpack_to_far_more() -> bytes:
    return one_page(stream(zlib.compress(bytes(200_000_000), 9), b"/Filter /FlateDecode"))


@hostile("unpacks to far more")
def a_bomb_within_a_bomb() -> bytes:
    twice = zlib.compress(zlib.compress(bytes(400_000_000), 9), 9)
    return one_page(stream(twice, b"/Filter [/FlateDecode /FlateDecode]"))


@hostile("unpacks to far more")
def many_small_bombs() -> bytes:
    drawn = b"<< /XObject << %s >> >>" % b" ".join(b"/X%d %d 0 R" % (n, n + 5) for n in range(20))
    packed = zlib.compress(bytes(100_000_000), 9)
    keys = b"/Subtype /Image /Width 10 /Height 10 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode"
    return one_page(stream(b"q Q"), *[stream(packed, keys)] * 20, resources=drawn)


@hostile("damaged, empty, or cut off|unpacks to far more")
def objects_packed_into_a_bomb() -> bytes:
    packed = zlib.compress(b"2 0 3 40 " + bytes(300_000_000), 9)
    bomb_of_objects = stream(packed, b"/Type /ObjStm /N 2 /First 9 /Filter /FlateDecode")
    head = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    first = head + b"4 0 obj\n" + bomb_of_objects + b"\nendobj\n"
    at_four, at_table = len(head), len(first)
    table = b"".join(
        struct.pack(">BIB", kind, where, index)
        for kind, where, index in [(0, 0, 0), (1, 9, 0), (2, 4, 0), (2, 4, 1), (1, at_four, 0), (1, at_table, 0)]
    )
    keys = b"/Type /XRef /W [1 4 1] /Size 6 /Root 1 0 R"
    return first + b"5 0 obj\n" + stream(table, keys) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % at_table


@hostile("impossible size")
def a_page_as_large_as_a_town() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].MediaBox = Array([0, 0, 99_999_999, 99_999_999])

    return ordinary(change)


@hostile("unpacks to far more")
def a_picture_of_more_dots_than_anybody_has() -> bytes:
    keys = b"/Subtype /Image /Width 60000 /Height 60000 /ImageMask true /BitsPerComponent 1 /Filter /CCITTFaxDecode"
    return one_page(stream(b"/X Do"), stream(bytes(10), keys), resources=b"<< /XObject << /X 5 0 R >> >>")


@hostile("damaged, empty, or cut off")
def pages_that_hold_themselves() -> bytes:
    pages = b"<< /Type /Pages /Count 2 /Kids [2 0 R 3 0 R] >>"
    return by_hand(b"<< /Type /Catalog /Pages 2 0 R >>", pages, b"<< /Type /Page /Parent 2 0 R >>")


@hostile("damaged, empty, or cut off|unpacks to far more")
def lists_in_lists_in_lists() -> bytes:
    return one_page(stream(b"q Q"), resources=b"<< /ExtGState << /G << /D %s >> >> >>" % (b"[" * 5000 + b"]" * 5000))


@hostile("unpacks to far more")
def lists_in_lists_as_deep_as_can_be_read() -> bytes:
    return one_page(stream(b"q Q"), resources=b"<< /ExtGState << /G << /D %s >> >> >>" % (b"[" * 200 + b"]" * 200))


@hostile(1)
def a_drawing_that_draws_itself() -> bytes:
    itself = b"/Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >>"
    return one_page(stream(b"/X Do"), stream(b"/X Do", itself), resources=b"<< /XObject << /X 5 0 R >> >>")


def with_photo(raw: bytes, packing: bytes = b"/DCTDecode") -> bytes:
    keys = b"/Subtype /Image /Width 64 /Height 48 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter " + packing
    draws = b"q 200 0 0 150 72 600 cm /X Do Q"
    return one_page(stream(draws), stream(raw, keys), resources=b"<< /XObject << /X 5 0 R >> >>")


@hostile(1, PLACE, AUTHOR)
def a_photo_in_a_paper_that_says_where_it_was_taken() -> bytes:
    return with_photo(photo())


@hostile(1, PLACE, AUTHOR)
def such_a_photo_packed_once_more() -> bytes:
    return with_photo(zlib.compress(photo()), b"[/FlateDecode /DCTDecode]")


@hostile(1, PLACE, AUTHOR)
def such_a_photo_of_the_newer_kind() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "blue").save(out, "JPEG2000", comment=f"at {PLACE}")
    note = f"<x:xmpmeta>{AUTHOR}</x:xmpmeta>".encode()
    return with_photo(out.getvalue() + struct.pack(">I", len(note) + 8) + b"xml " + note, b"/JPXDecode")


@hostile("can’t make safe", PLACE)
def such_a_photo_among_the_instructions() -> bytes:
    draws = b"BI /W 64 /H 48 /CS /RGB /BPC 8 /F /D#43T ID " + photo() + b"\nEI\n"
    return one_page(stream(draws))


@hostile(1, "canary.exe")
def a_picture_with_a_program_behind_its_end() -> bytes:
    return with_photo(zlib.compress(bytes(64 * 48 * 3)) + b"MZ canary.exe", b"/FlateDecode")


@hostile(1, "/Metadata", "/Info", AUTHOR, PLACE)
def a_paper_that_names_its_author() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.docinfo["/Author"] = String(AUTHOR)
        pdf.docinfo["/Subject"] = String(PLACE)
        about = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{AUTHOR}</x:xmpmeta>".encode()
        pdf.Root.Metadata = pdf.make_stream(about, Type=Name.Metadata, Subtype=Name.XML)
        pdf.pages[0].Metadata = pdf.Root.Metadata
        pdf.pages[0].Resources.Font.F1.Metadata = pdf.Root.Metadata

    return ordinary(change)


@hostile(1, "/F", TRACKER)
def a_picture_that_is_fetched_from_elsewhere() -> bytes:
    keys = f"/Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /F ({TRACKER})".encode()
    return one_page(stream(b"/X Do"), stream(b"\x80", keys), resources=b"<< /XObject << /X 5 0 R >> >>")


@hostile(1, "/OCProperties", "/OC")
def a_layer_that_is_shown_to_some() -> bytes:
    def change(pdf: pikepdf.Pdf) -> None:
        layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String("for others")))
        pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=Dictionary(OFF=Array([layer])))
        hidden = pdf.make_stream(b"BT ET", Subtype=Name.Form, BBox=Array([0, 0, 9, 9]), OC=layer)
        pdf.pages[0].Resources.XObject = Dictionary(X=hidden)

    return ordinary(change)


@hostile("damaged, empty, or cut off")
def a_paper_that_is_cut_off() -> bytes:
    whole = ordinary(pages=3)
    return whole[: len(whole) * 2 // 3]


@hostile("damaged, empty, or cut off")
def a_paper_whose_last_page_is_missing() -> bytes:
    return by_hand(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 1 /Kids [9 0 R] >>")


@hostile(1, SCRIPT)
def a_paper_whose_table_is_wrong() -> bytes:
    whole = a_script_when_it_is_opened()
    at = whole.rindex(b"startxref")
    return whole[:at] + b"startxref\n7\n%%EOF\n"


@hostile(1, "<script>canary")
def a_paper_that_is_a_web_page_too() -> bytes:
    return b"<html><script>canary</script><!--\n" + ordinary() + b"\n--><script>canary</script>"


@hostile("damaged, empty, or cut off")
def nothing_but_its_sign() -> bytes:
    return b"%PDF-1.7\n%%EOF\n"


@hostile("damaged, empty, or cut off")
def a_paper_without_pages() -> bytes:
    return by_hand(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 0 /Kids [] >>")
