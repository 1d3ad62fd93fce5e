"""Papers (PDF), laid out anew: what is kept is what is seen on the pages, and nothing that acts or hides (G22).

A PDF can run programs, call at other computers, carry other files, and say who wrote it, on what and where. So nothing
is taken out of it: a new one is made, and onto it goes only what drawing a page needs, each key by name. What a reader
shows on top of a page (answers in a form, notes, stamps) is drawn into the page first, so that it stays to be read; it
is no form any more then. Photos in it lose what was written beside them. What is new or unknown has no way across.
That is done in a process of its own, with little time and memory, that knows no secret of ours and can open nothing. It
is slow (half a second): no transaction is to be open meanwhile. Run as ``python -m``: a paper comes on standard input;
the number of its pages, a line end and the new one go to standard output.
"""

from __future__ import annotations

import codecs
import io
import re
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm.files.refused import NotAFile

if TYPE_CHECKING:
    import pikepdf

LARGEST_BYTES = 15 * 1024 * 1024
MOST_PAGES = 60
SHORTEST_SIDE, LONGEST_SIDE = 3, 14_400
"""Of a page, in points (72 to the inch). The format allows no more than 14,400; a phone's photo has 8,000."""
MOST_PIXELS = 150_000_000
"""Of one picture: a sheet of A4 in black and white at 1,200 dots to the inch."""
LARGEST_STREAM = 128 * 1024 * 1024
MOST_UNPACKED = 1024 * 1024 * 1024
"""Bytes that one part, and all parts together, unpack to."""
MOST_VALUES = 500_000
DEEPEST = 60
CPU_S = 20
MEMORY_BYTES = 1024 * 1024 * 1024
LONGEST_S = 45.0
MEDIA = "application/pdf"
_PRINT_IT = "Open it, print it to a new PDF, and send that."
TOO_LARGE, DAMAGED, LOCKED, TOO_MANY_PAGES, TOO_WIDE, LIVING_FORM, FOLDER, UNSAFE = range(3, 11)
"""How the other process ends where it can't lay a paper out anew."""
WORDS = {
    TOO_LARGE: "That PDF unpacks to far more than it looks. Scan it with fewer dots, or send photos of the pages.",
    DAMAGED: "That PDF is damaged, empty, or cut off. Save it again, or send photos of the pages.",
    LOCKED: "That PDF needs a password. Save it without one.",
    TOO_MANY_PAGES: f"That PDF has more than {MOST_PAGES} pages. Send only those that are asked for.",
    TOO_WIDE: f"That PDF has a page of an impossible size. {_PRINT_IT}",
    LIVING_FORM: f"That PDF is a form whose answers we can’t keep as they are. {_PRINT_IT}",
    FOLDER: "That PDF is a folder with other files in it. Send each of them by itself.",
    UNSAFE: f"That PDF holds something that we can’t make safe. {_PRINT_IT}",
}


class NotAPaper(NotAFile):
    """What was handed in is no PDF that can be kept."""


@dataclass(frozen=True)
class Paper:
    """A paper as it is kept."""

    media: str
    content: bytes
    pages: int


def looks_like_one(raw: bytes) -> bool:
    """Whether readers would take this for a PDF: they look for its sign within the first 1,024 bytes."""
    return b"%PDF-" in raw[:1024]


def rebuild(raw: bytes) -> Paper:
    """The paper, laid out anew. Slow. Raises NotAPaper, in words."""
    if len(raw) > LARGEST_BYTES:
        raise NotAPaper(f"That PDF is larger than {LARGEST_BYTES // (1024 * 1024)} MB. Scan it again with fewer dots.")
    if not looks_like_one(raw):
        raise NotAPaper("That is not a PDF.")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "crm.files.papers"],
            input=raw,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise NotAPaper(f"That PDF takes too long to read. {_PRINT_IT}") from fault
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise NotAPaper(f"That PDF takes too long to read. {_PRINT_IT}")
    pages, _, content = done.stdout.partition(b"\n")
    if done.returncode != 0 or not pages.isdigit() or not content:
        raise NotAPaper(WORDS.get(done.returncode, WORDS[DAMAGED]))
    return Paper(MEDIA, content, int(pages))


# --- In the other process ---------------------------------------------------------------------------------------------


def main() -> None:
    """Read a paper from standard input and write it anew, or end with what is wrong with it."""
    import resource

    import pikepdf
    import pikepdf.settings

    pikepdf.settings.set_qpdf_limits(
        flate_max_memory=LARGEST_STREAM,
        run_length_max_memory=LARGEST_STREAM,
        png_max_memory=LARGEST_STREAM,
        tiff_max_memory=LARGEST_STREAM,
        parser_max_errors=0,  # or an instruction might stand behind the one at which it stopped looking
    )
    with pikepdf.new() as first:  # what it needs is read before the limits
        first.add_blank_page()
        first.save(locked := io.BytesIO(), encryption=pikepdf.Encryption(owner="", user=""))
        pikepdf.open(locked).close()
    for letters in ("ascii", "latin-1", "cp1252", "pdfdoc", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le"):
        codecs.lookup(letters)
    raw = sys.stdin.buffer.read(LARGEST_BYTES + 1)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # the three it has: no other file, and no other computer
    try:
        content, pages = _laid_out(raw)
    except _Ends as end:
        sys.exit(end.code)
    except MemoryError:
        sys.exit(TOO_LARGE)
    except pikepdf.PasswordError:
        sys.exit(LOCKED)
    except Exception:  # whatever a reader may say of what it was given
        sys.exit(TOO_LARGE if pikepdf.settings.qpdf_limit_errors() else DAMAGED)
    sys.stdout.buffer.write(b"%d\n" % pages + content)


class _Ends(Exception):
    """It can't be laid out anew, for the reason of this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _laid_out(raw: bytes) -> tuple[bytes, int]:
    import pikepdf

    if b"%%EOF" not in raw[-65_536:]:
        raise _Ends(DAMAGED)  # what is left of it might be read, and pages be missed by nobody
    with pikepdf.open(io.BytesIO(raw)) as old, pikepdf.new() as new:
        if "/Collection" in old.Root:
            raise _Ends(FOLDER)
        if not list(_pages_of(old)):
            raise _Ends(DAMAGED)
        _draw_what_lies_on_top(old)
        crossing = _Crossing(old, new)
        pages = 0
        for page, handed_down in _pages_of(old):
            new.pages.append(pikepdf.Page(new.make_indirect(_page(crossing, page, handed_down))))
            pages += 1
        out = io.BytesIO()
        new.save(
            out,
            deterministic_id=True,
            fix_metadata_version=False,
            min_version="1.7",
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
        )
    if out.tell() > LARGEST_BYTES:
        raise _Ends(TOO_LARGE)
    return out.getvalue(), pages


# Pages ................................................................................................................

_HANDED_DOWN = ("/Resources", "/MediaBox", "/CropBox", "/Rotate")
_LETTER = [0, 0, 612, 792]
"""What readers take where a page has no size."""


def _pages_of(pdf: pikepdf.Pdf) -> Iterator[tuple[pikepdf.Object, dict[str, pikepdf.Object]]]:
    """Each page in its order, with what the branches above hand down to it."""
    import pikepdf

    to_do: list[tuple[Any, dict[str, pikepdf.Object], int]] = [(pdf.Root.get("/Pages"), {}, 0)]
    branches: set[tuple[int, int]] = set()
    pages = 0
    while to_do:
        node, above, depth = to_do.pop()
        if not isinstance(node, pikepdf.Dictionary) or depth > DEEPEST:
            raise _Ends(DAMAGED)
        here = above | {key: node[key] for key in _HANDED_DOWN if key in node}
        if "/Kids" not in node:
            pages += 1
            if pages > MOST_PAGES:
                raise _Ends(TOO_MANY_PAGES)
            yield node, here
            continue
        kids = node["/Kids"]
        if node.objgen in branches or not isinstance(kids, pikepdf.Array):
            raise _Ends(DAMAGED)  # a branch that grows out of itself
        if node.is_indirect:
            branches.add(node.objgen)
        if len(kids) > MOST_PAGES or len(branches) > MOST_PAGES:
            raise _Ends(TOO_MANY_PAGES)
        to_do += [(kid, here, depth + 1) for kid in reversed(list(kids))]


def _page(crossing: _Crossing, old: pikepdf.Object, handed_down: dict[str, pikepdf.Object]) -> pikepdf.Dictionary:
    import pikepdf

    page = pikepdf.Dictionary(Type=pikepdf.Name.Page, MediaBox=_box(handed_down.get("/MediaBox", _LETTER)))
    if "/CropBox" in handed_down:
        page.CropBox = _box(handed_down["/CropBox"])
    turned: Any = handed_down.get("/Rotate")
    if isinstance(turned, int) and turned % 90 == 0:
        page.Rotate = turned % 360
    if "/Group" in old:
        page.Group = crossing.carry(old["/Group"], "group")
    page.Resources = crossing.carry(handed_down.get("/Resources"), "resources") or pikepdf.Dictionary()
    if "/Contents" in old:
        page.Contents = crossing.contents(old["/Contents"])
    return page


def _box(old: Any) -> list[float]:
    corners = [float(number) for number in old]
    left, bottom, right, top = corners
    sides = abs(right - left), abs(top - bottom)
    if not all(SHORTEST_SIDE <= side <= LONGEST_SIDE for side in sides) or max(map(abs, corners)) > 1_000_000:
        raise _Ends(TOO_WIDE)
    return [round(number, 4) for number in corners]


# What a reader shows on top of a page .................................................................................

_SEVERAL_LINES, _SECRET = 1 << 12, 1 << 13
_LETTERS_PT = 12.0
_WIDEST = 0.67
"""Of a letter of Helvetica on average, in its height: an answer that is made to fit by this is not cut off."""


def _draw_what_lies_on_top(pdf: pikepdf.Pdf) -> None:
    """Draw answers, notes and stamps into their pages, as far as a reader shows them."""
    import pikepdf

    form = pdf.Root.get("/AcroForm")
    if isinstance(form, pikepdf.Dictionary):
        if "/XFA" in form and (pdf.Root.get("/NeedsRendering") or not len(form.get("/Fields", []))):
            raise _Ends(LIVING_FORM)  # its pages hold nothing but "Please wait"
        form_asks = bool(form.get("/NeedAppearances"))
        for widget in _widgets(pdf):
            answer = _answer(widget)
            look = widget.get("/AP")
            has_look = isinstance(look, pikepdf.Dictionary) and "/N" in look
            if answer == "" or (has_look and not form_asks):
                continue
            line = None if answer is None else _one_line(answer)
            if line is not None:
                _draw(pdf, widget, line)
            elif not has_look:  # what its own reader drew is better than nothing
                raise _Ends(LIVING_FORM)
        if form_asks:
            del form["/NeedAppearances"]  # or what was drawn would not be looked at
    pdf.flatten_annotations("screen")


def _answer(widget: pikepdf.Object) -> str | None:
    """What a field shows of what was typed or chosen: empty where nothing was, None where it is more than a line."""
    import pikepdf

    answer = _of_field(widget, "/V")
    flags = int(_of_field(widget, "/Ff") or 0)
    if _of_field(widget, "/FT") not in ("/Tx", "/Ch") or answer is None or flags & _SECRET:
        return ""
    if not isinstance(answer, pikepdf.String):
        return None
    choices = _of_field(widget, "/Opt")
    for choice in choices if isinstance(choices, pikepdf.Array) else []:
        if isinstance(choice, pikepdf.Array) and len(choice) == 2 and choice[0] == answer:
            return str(choice[1])
    return None if flags & _SEVERAL_LINES and str(answer) else str(answer)


def _one_line(answer: str) -> bytes | None:
    """An answer in letters that every reader has, or None."""
    try:
        line = answer.encode("cp1252")
    except UnicodeEncodeError:
        return None
    return None if b"\n" in line or b"\r" in line else line


def _draw(pdf: pikepdf.Pdf, widget: pikepdf.Object, line: bytes) -> None:
    import pikepdf

    left, bottom, right, top = (float(number) for number in widget["/Rect"])
    width, height = abs(right - left), abs(top - bottom)
    letters = min(_LETTERS_PT, 0.8 * height, (width - 4) / (_WIDEST * len(line)))
    if letters <= 0:
        raise _Ends(LIVING_FORM)
    escaped = re.sub(rb"([()\\])", rb"\\\1", line)
    drawing = b"BT /F %.2f Tf 2 %.2f Td (%s) Tj ET" % (letters, (height - 0.7 * letters) / 2, escaped)
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font,
        Subtype=pikepdf.Name.Type1,
        BaseFont=pikepdf.Name.Helvetica,
        Encoding=pikepdf.Name.WinAnsiEncoding,
    )
    look = pikepdf.Stream(pdf, drawing)
    look.Subtype = pikepdf.Name.Form
    look.BBox = pikepdf.Array([0, 0, round(width, 4), round(height, 4)])
    look.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
    widget["/AP"] = pikepdf.Dictionary(N=look)


def _widgets(pdf: pikepdf.Pdf) -> Iterator[pikepdf.Object]:
    import pikepdf

    for page, _ in _pages_of(pdf):
        on_top = page.get("/Annots")
        for note in on_top if isinstance(on_top, pikepdf.Array) else []:
            if isinstance(note, pikepdf.Dictionary) and note.get("/Subtype") == "/Widget":
                yield note


def _of_field(widget: pikepdf.Object, key: str) -> Any:
    """What a part of a form says of itself, or one of those that it is part of."""
    import pikepdf

    field: Any = widget
    for _ in range(DEEPEST):
        if not isinstance(field, pikepdf.Dictionary):
            return None
        if key in field:
            return field[key]
        field = field.get("/Parent")
    raise _Ends(DAMAGED)


# What drawing needs ...................................................................................................


def _keys(plain: str = "", **kinds: str) -> dict[str, str]:
    """Keys whose values hold numbers, names and texts only, and keys whose values are of a kind."""
    return {f"/{key}": "" for key in plain.split()} | {f"/{key}": kind for key, kind in kinds.items()}


_FUNCTION = _keys(
    "FunctionType Domain Range Size BitsPerSample Order Encode Decode C0 C1 N Bounds",
    Functions="function",
)
# What is copied of each kind. A kind with a star is a list by names, whose values are of that kind.
KINDS: dict[str, dict[str, str]] = {
    "": {},
    "bytes": {},
    "function": _FUNCTION,
    "colours": _FUNCTION | _keys("WhitePoint BlackPoint Gamma Matrix", Alternate="colours"),
    "resources": _keys(
        Font="*font",
        XObject="*xobject",
        ColorSpace="*colours",
        Pattern="*pattern",
        Shading="*shading",
        ExtGState="*state",
    ),
    "form": _keys("Subtype FormType BBox Matrix", Resources="resources", Group="group"),
    "group": _keys("S I K", CS="colours"),
    "image": _keys(
        "Subtype Width Height BitsPerComponent Intent ImageMask Decode Interpolate SMaskInData Matte",
        ColorSpace="colours",
        Mask="image",
        SMask="image",
    ),
    "unpacking": _keys(
        "Predictor Colors Columns BitsPerComponent EarlyChange K EndOfLine EncodedByteAlign Rows EndOfBlock BlackIs1 "
        "DamagedRowsBeforeError ColorTransform",
        JBIG2Globals="bytes",
    ),
    "state": _keys("LW LC LJ ML D RI OP op OPM FL SM SA BM CA ca AIS TK", Font="font", SMask="mask"),
    "mask": _keys("S BC", G="xobject", TR="function"),
    "pattern": _keys(
        "PatternType PaintType TilingType BBox XStep YStep Matrix",
        Resources="resources",
        Shading="shading",
        ExtGState="state",
    ),
    "shading": _keys(
        "ShadingType Background BBox AntiAlias Domain Matrix Coords Extend BitsPerCoordinate BitsPerComponent "
        "BitsPerFlag Decode VerticesPerRow",
        ColorSpace="colours",
        Function="function",
    ),
    "font": _keys(
        "Type Subtype BaseFont Name FirstChar LastChar Widths FontBBox FontMatrix DW W DW2 W2",
        FontDescriptor="letters",
        Encoding="encoding",
        ToUnicode="encoding",
        DescendantFonts="font",
        CIDSystemInfo="system",
        CIDToGIDMap="bytes",
        CharProcs="*glyph",
        Resources="resources",
    ),
    "letters": _keys(
        "Type FontName FontFamily FontStretch FontWeight Flags FontBBox ItalicAngle Ascent Descent Leading CapHeight "
        "XHeight StemV StemH AvgWidth MaxWidth MissingWidth CharSet",
        FontFile="font file",
        FontFile2="font file",
        FontFile3="font file",
    ),
    "font file": _keys("Subtype Length1 Length2 Length3"),
    "encoding": _keys("BaseEncoding Differences CMapName WMode", CIDSystemInfo="system", UseCMap="encoding"),
    "system": _keys("Registry Ordering Supplement"),
    "glyph": {},
}
_DRAWN = ("form", "glyph", "pattern")
"""Kinds whose bytes are instructions for drawing."""
_PACKINGS = {
    "/Fl": "/FlateDecode",
    "/LZW": "/LZWDecode",
    "/A85": "/ASCII85Decode",
    "/AHx": "/ASCIIHexDecode",
    "/RL": "/RunLengthDecode",
}
_PICTURES = {"/DCT": "/DCTDecode", "/CCF": "/CCITTFaxDecode", "/JPX": "/JPXDecode", "/JBIG2": "/JBIG2Decode"}
_FULL_NAMES = _PACKINGS | _PICTURES


class _Crossing:
    """Carries what drawing needs from the old paper to the new one, and counts what it comes to."""

    def __init__(self, old: pikepdf.Pdf, new: pikepdf.Pdf) -> None:
        self.old = old
        self.new = new
        self.carried: dict[tuple[tuple[int, int], str], Any] = {}
        self.values = 0
        self.unpacked = 0
        self.kept = 0

    def carry(self, value: Any, kind: str, depth: int = 0) -> Any:
        """A value as it may stand in the new paper, or None where it may not."""
        import pikepdf

        self.values += 1
        if self.values > MOST_VALUES or depth > DEEPEST:
            raise _Ends(TOO_LARGE)
        if isinstance(value, pikepdf.Array):
            # Nothing keeps its place in a list, so that what stands behind it keeps its own.
            return pikepdf.Array([self.carry(item, kind, depth + 1) for item in value])
        if not isinstance(value, (pikepdf.Dictionary, pikepdf.Stream)):
            return value
        if not kind:
            return None
        if kind == "xobject":
            kind = {"/Form": "form", "/Image": "image"}.get(str(value.get("/Subtype")), "")
            if not kind or not isinstance(value, pikepdf.Stream):
                return None
        if not value.is_indirect:
            return self._carry_keys(value, pikepdf.Dictionary(), kind, depth)
        known = (value.objgen, kind)
        if known not in self.carried:
            self.carried[known] = None  # as long as it is on its way: what holds itself doesn't
            if isinstance(value, pikepdf.Stream):
                self.carried[known] = self._carry_stream(value, kind, depth)
            else:
                self.carried[known] = self.new.make_indirect(self._carry_keys(value, pikepdf.Dictionary(), kind, depth))
        return self.carried[known]

    def contents(self, value: Any) -> pikepdf.Stream:
        """What a page draws, in one part."""
        import pikepdf

        parts: list[Any] = list(value) if isinstance(value, pikepdf.Array) else [value]
        if not all(isinstance(part, pikepdf.Stream) for part in parts) or len(parts) > 10_000:
            raise _Ends(DAMAGED)
        return self._drawing(b"\n".join(self._unpacked(part) for part in parts))

    def _carry_keys(self, old: Any, onto: Any, kind: str, depth: int) -> Any:
        if kind.startswith("*"):
            kinds = dict.fromkeys(old.keys(), kind[1:])
        else:
            kinds = {key: inner for key, inner in KINDS[kind].items() if key in old}
        for key, inner in kinds.items():
            carried = self.carry(old[key], inner, depth + 1)
            if carried is not None:
                onto[key] = carried
        return onto

    def _carry_stream(self, old: pikepdf.Stream, kind: str, depth: int) -> Any:
        import pikepdf

        if kind.startswith("*") or kind in ("resources", "font", "state", "letters", "group", "mask", "unpacking", ""):
            return None
        if kind in _DRAWN:
            return self._carry_keys(old, self._drawing(self._unpacked(old)), kind, depth)
        if kind == "image" and int(old.get("/Width", 0)) * int(old.get("/Height", 0)) > MOST_PIXELS:
            raise _Ends(TOO_LARGE)
        packings, details = _packings_of(old)
        raw = old.read_raw_bytes()
        last: str | None = packings[-1] if packings else None
        if last in _PICTURES.values():
            if kind != "image":
                raise _Ends(UNSAFE)
            data = self._without_packing(raw, packings[:-1], details[:-1])
            if last == "/DCTDecode":
                data = bare_jpeg(data)
            elif last == "/JPXDecode":
                data = bare_jp2(data)
        elif packings == ["/FlateDecode"]:
            data = self._measured(raw)  # unpacking and packing again would take long
        else:
            data, last = self._without_packing(raw, packings, details), None
        if last is None:
            data = zlib.compress(data)
        self._count_kept(data)
        new = pikepdf.Stream(self.new, data)
        new.Filter = pikepdf.Name(last or "/FlateDecode")
        detail = self.carry(details[-1], "unpacking", depth + 1) if last else None
        if isinstance(detail, pikepdf.Dictionary) and len(detail):
            new.DecodeParms = detail
        return self._carry_keys(old, new, kind, depth)

    def _drawing(self, instructions: bytes) -> pikepdf.Stream:
        """Instructions, in a stream of the new paper. Pictures among them are none that hold more than dots."""
        import pikepdf

        if b"BI" in instructions:
            look = pikepdf.Stream(self.new, instructions)
            for found in pikepdf.parse_content_stream(look, "BI ID EI"):
                if isinstance(found, pikepdf.ContentStreamInlineImage):
                    packed = {_FULL_NAMES.get(name, name) for name in found.iimage.filters}
                    if packed - {*_PACKINGS.values(), "/CCITTFaxDecode"}:
                        raise _Ends(UNSAFE)
        data = zlib.compress(instructions)
        self._count_kept(data)
        new = pikepdf.Stream(self.new, data)
        new.Filter = pikepdf.Name.FlateDecode
        return new

    def _unpacked(self, stream: pikepdf.Stream) -> bytes:
        packings, details = _packings_of(stream)
        return self._without_packing(stream.read_raw_bytes(), packings, details)

    def _without_packing(self, data: bytes, packings: list[str], details: list[Any]) -> bytes:
        import pikepdf

        for packing, detail in zip(packings, details, strict=True):
            if packing not in _PACKINGS.values():
                raise _Ends(UNSAFE)
            if packing == "/FlateDecode":
                data = self._measured(data)
            packed = pikepdf.Stream(self.new, data)
            packed.Filter = pikepdf.Name(packing)
            inner = self.carry(detail, "unpacking")
            if inner is not None:
                packed.DecodeParms = inner
            data = packed.read_bytes(pikepdf.StreamDecodeLevel.generalized)
            if len(data) > LARGEST_STREAM:
                raise _Ends(TOO_LARGE)
        return data

    def _measured(self, packed: bytes) -> bytes:
        """The same without what follows its end, once it is known to unpack to no more than it may."""
        unpacking = zlib.decompressobj()
        rest, size = packed, 0
        while rest and not unpacking.eof:
            size += len(unpacking.decompress(rest, 1 << 20))
            rest = unpacking.unconsumed_tail
            if size > LARGEST_STREAM or self.unpacked + size > MOST_UNPACKED:
                raise _Ends(TOO_LARGE)
        self.unpacked += size
        return packed[: len(packed) - len(unpacking.unused_data)]

    def _count_kept(self, data: bytes) -> None:
        self.kept += len(data)
        if self.kept > LARGEST_BYTES:
            raise _Ends(TOO_LARGE)


def _packings_of(stream: pikepdf.Stream) -> tuple[list[str], list[Any]]:
    """How a stream is packed, the outermost first, with the details of each."""
    import pikepdf

    def listed(value: Any) -> list[Any]:
        return list(value) if isinstance(value, pikepdf.Array) else [] if value is None else [value]

    packings = [_FULL_NAMES.get(str(name), str(name)) for name in listed(stream.get("/Filter"))]
    details = listed(stream.get("/DecodeParms"))
    if len(packings) > 5 or any(name not in _FULL_NAMES.values() for name in packings):
        raise _Ends(UNSAFE)
    return packings, (details + [None] * len(packings))[: len(packings)]


# Pictures, without what was written beside them .......................................................................

_JPEG_MARK = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_JPEG_PARTS = _JPEG_FRAMES | {0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD}
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
# How the colours are meant: (mark, how it begins, how much of it is needed).
_JPEG_COLOURS = {0xE0: (b"JFIF\0", 12), 0xEE: (b"Adobe", 12)}


def bare_jpeg(raw: bytes) -> bytes:
    """A JPEG's dots and what is needed to see them: no place, camera, comment, profile or second picture.

    Raises _Ends where it can't be told what is what, or where it would have more dots than are looked at.
    """
    if not raw.startswith(b"\xff\xd8"):
        raise _Ends(DAMAGED)
    kept, at = [b"\xff\xd8"], 2
    while mark := _JPEG_MARK.match(raw, at):
        kind, at = mark[1][0], mark.end()
        if kind == _JPEG_END:
            break
        size = int.from_bytes(raw[at : at + 2], "big")
        body = raw[at + 2 : at + size]
        if size < 2 or len(body) != size - 2:
            raise _Ends(DAMAGED)
        at += size
        if kind in _JPEG_FRAMES and int.from_bytes(body[1:3], "big") * int.from_bytes(body[3:5], "big") > MOST_PIXELS:
            raise _Ends(TOO_LARGE)
        start, needed = _JPEG_COLOURS.get(kind, (b"", 0))
        if needed and body.startswith(start) and len(body) >= needed:
            body = body[:needed] + (b"\0\0" if kind == 0xE0 else b"")  # no small picture of itself
        elif kind not in _JPEG_PARTS:
            continue
        kept.append(bytes((0xFF, kind)) + (len(body) + 2).to_bytes(2, "big") + body)
        if kind == _JPEG_SCAN:
            following = _JPEG_MARK.search(raw, at)
            end = following.start() if following else len(raw)
            kept.append(raw[at:end])
            at = end
    if len(kept) < 4:
        raise _Ends(DAMAGED)
    return b"".join(kept) + b"\xff\xd9"


_JP2_START = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_JP2_PARTS = (b"jP  ", b"ftyp", b"jp2h", b"jp2c")
_CODE_START, _CODE_SIZE, _CODE_NOTE, _CODE_TILE = b"\xff\x4f", 0x51, 0x64, 0x90


def bare_jp2(raw: bytes) -> bytes:
    """A JPEG 2000's dots without the boxes and notes beside them. Raises _Ends, as ``bare_jpeg``."""
    if raw.startswith(_CODE_START):
        return _bare_code(raw)
    if not raw.startswith(_JP2_START):
        raise _Ends(DAMAGED)
    kept, at = [], 0
    while at + 8 <= len(raw):
        size, name, head = int.from_bytes(raw[at : at + 4], "big"), raw[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(raw[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(raw) - at
        if size < head or at + size > len(raw):
            raise _Ends(DAMAGED)
        body = raw[at + head : at + size]
        at += size
        if name in _JP2_PARTS:
            body = _bare_code(body) if name == b"jp2c" else body
            kept.append((len(body) + 8).to_bytes(4, "big") + name + body)
    return b"".join(kept)


def _bare_code(raw: bytes) -> bytes:
    if not raw.startswith(_CODE_START):
        raise _Ends(DAMAGED)
    kept, at = [_CODE_START], 2
    while at + 4 <= len(raw) and raw[at] == 0xFF and raw[at + 1] != _CODE_TILE:
        kind, size = raw[at + 1], int.from_bytes(raw[at + 2 : at + 4], "big")
        part = raw[at : at + 2 + size]
        if kind == _CODE_SIZE:
            wide, high = int.from_bytes(part[6:10], "big"), int.from_bytes(part[10:14], "big")
            if wide * high > MOST_PIXELS:
                raise _Ends(TOO_LARGE)
        if kind != _CODE_NOTE:
            kept.append(part)
        at += 2 + size
    return b"".join(kept) + raw[at:]


if __name__ == "__main__":
    main()
