"""Taking in a file that somebody hands in, known by what is in it: never by its name, or by what a browser calls it."""

from __future__ import annotations

from dataclasses import dataclass

from crm.files import papers, pictures
from crm.files.refused import NotAFile

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_OFFICE = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf")
"""Word and OpenDocument files are zips; older ones of Word are a box of their own, or RTF."""
_PROGRAMS = (b"MZ", b"\x7fELF", b"#!")


@dataclass(frozen=True)
class TakenIn:
    """A file as it is kept. ``pages``: of a paper, how many it has; a picture is one."""

    media: str
    content: bytes
    pages: int


def take_in(raw: bytes) -> TakenIn:
    """The file, made anew. Slow (up to a minute): no transaction is to be open meanwhile.

    Raises NotAFile (NotAPicture, NotAPaper), in words that say what to send instead.
    """
    if not raw:
        raise NotAFile("That file is empty. Choose it again.")
    if raw.startswith(_PICTURES):
        picture = pictures.redraw(raw)
        return TakenIn(picture.media, picture.content, 1)
    if raw.startswith(_OFFICE):
        raise NotAFile("That looks like a Word or OpenDocument file, or a zip. Save it as a PDF, and send that.")
    if raw[4:8] == b"ftyp" and raw[8:12] in _HEIC:
        raise NotAFile(
            "That is a HEIC photo, which not everybody can open. On an iPhone, choose the photo again in the browser, "
            "or send a JPEG."
        )
    if raw.startswith(_PROGRAMS):
        raise NotAFile("That is a program, not a photo or a PDF.")
    if papers.looks_like_one(raw):
        paper = papers.rebuild(raw)
        return TakenIn(paper.media, paper.content, paper.pages)
    raise NotAFile("We can keep photos (JPEG or PNG) and PDFs. Send it as one of them.")
