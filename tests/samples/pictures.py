"""Small pictures as phones make them, and such as are made to harm."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

SECRET = b"SECRET"


def _png_part(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*extra: tuple[bytes, bytes], width: int = 2, height: int = 2, rows: bytes = b"\0\1\2\0\3\4") -> bytes:
    """Grey, with these parts besides."""
    parts = [
        _png_part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        *(_png_part(kind, body) for kind, body in extra),
        _png_part(b"IDAT", zlib.compress(rows)),
        _png_part(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bomb(side: int = 11_000) -> bytes:
    """A few kilobytes that say they are a hundred million dots."""
    return png(width=side, height=side, rows=bytes(1000))


def jpeg(*, orientation: int = 6) -> bytes:
    """Sixteen across and eight down, the left half red and the right blue; with which way up the phone was held, where
    that was, a comment, and a second picture behind it."""
    picture = Image.new("RGB", (16, 8), (220, 0, 0))
    picture.paste((0, 0, 220), (8, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRET maker"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[29] = "SECRET place"
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=95, exif=exif, comment=b"SECRET comment", icc_profile=b"SECRET profile")
    return out.getvalue() + b"SECRET second picture"


SMALL_PNG = png()
