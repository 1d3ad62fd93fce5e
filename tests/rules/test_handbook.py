"""The page that explains the rules is made from them."""

from __future__ import annotations

import re
from pathlib import Path

import crm.rules
from crm.rules.handbook import handbook
from crm.rules.transitions import MOVES, mermaid

README = Path(crm.rules.__file__).with_name("README.md")


def test_the_handbook_and_its_diagram_are_current():
    assert README.read_text(encoding="utf-8") == handbook(), "run: python -m crm.rules.handbook > crm/rules/README.md"


def test_the_diagram_shows_every_move():
    drawn = mermaid()

    for move in MOVES:
        assert drawn.count(f": {move.name}\n") == len(move.from_)


def test_every_file_the_handbook_names_is_there():
    named = set(re.findall(r"`([a-z_]+\.py)", handbook()))
    here = Path(__file__).parent

    assert all((README.parent / name).exists() or (here / name).exists() for name in named)
