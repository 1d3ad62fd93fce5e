"""From data to a tagged PDF (PDF/UA-1), by typst. What it says goes in as data and is never pasted into the source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typst


def write_pdf(source: Path, name: str, data: Mapping[str, Any], *, at: datetime) -> bytes:
    """Lay out a source, which reads ``data`` as JSON under this name of ``sys.inputs``; ``at`` is the file's own time.

    It sees its own folder and the fonts that typst brings, nothing else: the same data give the same bytes anywhere.
    """
    pdf = typst.compile(
        source,
        root=source.parent,
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={name: json.dumps(data)},
        timestamp=int(at.timestamp()),
        pdf_standards=["ua-1"],
    )
    if not isinstance(pdf, bytes):
        raise TypeError("typst gave no single document")
    return pdf
