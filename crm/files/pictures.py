"""Pictures, drawn anew: what is kept is what was seen, and nothing that was written beside it (G22).

A phone writes into a photo where it was taken, when, and with what; some keep a second picture behind the first. So a
picture is decoded, turned the way it was held, made no larger than anybody looks at, and encoded again from its dots.
That is done in a process of its own with little time and memory, that knows no secret of ours: a picture may be made to
harm whoever decodes it, or to become far larger than it looks. It is slow (a fifth of a second): no transaction is to
be open meanwhile. Run as ``python -m``: a picture comes on standard input; the new one goes to standard output.
"""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass

from crm.files.refused import NotAFile

LARGEST_BYTES = 8 * 1024 * 1024
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 12_000
LONGEST_SIDE_KEPT = 2048
QUALITY = 82
CPU_S = 10
MEMORY_BYTES = 768 * 1024 * 1024
LONGEST_S = 30.0
MEDIA = "image/jpeg"
KINDS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
TOO_LARGE, DAMAGED = 3, 4
"""How the other process ends where it can't draw a picture."""


class NotAPicture(NotAFile):
    """What was handed in is no picture that can be kept."""


@dataclass(frozen=True)
class Picture:
    """A picture as it is kept."""

    media: str
    content: bytes


def redraw(raw: bytes) -> Picture:
    """The picture, drawn anew. Slow. Raises NotAPicture, in words."""
    if len(raw) > LARGEST_BYTES:
        raise NotAPicture(f"That photo is larger than {LARGEST_BYTES // (1024 * 1024)} MB. Take it smaller.")
    if _kind_of(raw) is None:
        raise NotAPicture("That is not a photo we can keep. Use a JPEG or a PNG.")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "crm.files.pictures"],
            input=raw,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise NotAPicture("That photo takes too long to read. Take it smaller.") from fault
    if done.returncode == TOO_LARGE:
        raise NotAPicture(f"That photo has more than {MOST_PIXELS // 1_000_000} million pixels. Take it smaller.")
    if done.returncode != 0 or not done.stdout:
        raise NotAPicture("That photo is damaged, or cut off. Take it again.")
    return Picture(MEDIA, done.stdout)


def _kind_of(raw: bytes) -> str | None:
    return next((kind for start, kind in KINDS.items() if raw.startswith(start)), None)


# --- In the other process ---------------------------------------------------------------------------------------------


def main() -> None:
    """Read a picture from standard input and write it anew, or end with what is wrong with it."""
    import resource

    from PIL import Image, JpegImagePlugin, PngImagePlugin  # noqa: F401  (what it needs is read before the limits)

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    raw = sys.stdin.buffer.read(LARGEST_BYTES + 1)
    try:
        drawn = _drawn(raw)
    except MemoryError:
        sys.exit(TOO_LARGE)
    except Exception:  # whatever a decoder may say of what it was given
        sys.exit(DAMAGED)
    sys.stdout.buffer.write(drawn)


def _drawn(raw: bytes) -> bytes:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # ours is looked at before anything is unpacked
    picture = Image.open(io.BytesIO(raw), formats=[_kind_of(raw) or ""])
    width, height = picture.size
    if not (width <= LONGEST_SIDE and height <= LONGEST_SIDE and width * height <= MOST_PIXELS):
        raise MemoryError
    picture.thumbnail((LONGEST_SIDE_KEPT, LONGEST_SIDE_KEPT))  # a JPEG is unpacked no larger than it takes
    upright = ImageOps.exif_transpose(picture)
    # A new sheet: what the old one knew of itself (comments, profiles, places) has no way onto it.
    paper = Image.new("RGB", upright.size, "white")
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        upright = upright.convert("RGBA")
        paper.paste(upright, mask=upright)
    else:
        paper.paste(upright.convert("RGB"))
    out = io.BytesIO()
    paper.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
