"""What a name is compared and looked up by: its plain letters, its sound, and the names it is short for.

Each is a lossy, repeatable form of what was typed; what was typed is always kept beside it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from crm.rules.given_names import COMMON_FAMILY, COMMON_GIVEN, GROUPS, GROUPS_OF, ROOTS

__all__ = ["COMMON_FAMILY", "COMMON_GIVEN", "codes", "how_related", "is_known", "plain", "sound"]

# Letters that Unicode does not take apart into a plain one and a mark.
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"})
_APOSTROPHES = dict.fromkeys(map(ord, "'’`‘ʼ"))
_NO_LETTERS = re.compile(r"[^\w]+")
LONGEST = 120


@lru_cache(maxsize=4096)  # the same few names are asked about many times over while a sheet is taken in
def plain(name: str | None) -> str | None:
    """Lower case, without accents, apostrophes or doubled spaces: "Zoë  O’Connell" is "zoe oconnell"."""
    if not name:
        return None
    letters = name.casefold()
    if not letters.isascii():
        letters = unicodedata.normalize("NFKD", letters.translate(_LETTERS))
        letters = "".join(c for c in letters if not unicodedata.combining(c))
    return _NO_LETTERS.sub(" ", letters.translate(_APOSTROPHES)).strip()[:LONGEST] or None


# What stands on the left is heard as what stands on the right. Capital letters are sounds and are read once only.
_BEGINNINGS = (
    ("mac", "mK"), ("mc", "mK"), ("wr", "r"), ("wh", "w"), ("kn", "n"), ("gn", "n"), ("ps", "s"), ("pf", "f"),
    ("gh", "g"), ("h", "H"), ("bh", "b"), ("dj", "J"), ("x", "s"), ("th", "t"), ("chr", "Kr"), ("cz", "S"),
    ("fitz", "fits"),
)  # fmt: skip
_ANYWHERE = (
    ("sch", "S"), ("tch", "S"), ("szcz", "S"), ("sz", "S"), ("cz", "S"), ("ch", "S"), ("sh", "S"), ("rz", "S"),
    ("ph", "f"), ("ck", "k"), ("bh", "f"), ("mh", "f"), ("gh", ""), ("dh", "d"), ("th", "t"), ("kh", "k"),
    ("dge", "J"), ("dg", "J"), ("qu", "k"), ("ce", "s"), ("ci", "s"), ("cy", "s"), ("c", "k"), ("mps", "ms"),
    ("q", "k"), ("x", "ks"), ("z", "s"), ("v", "f"), ("j", "J"),
)  # fmt: skip
SOUND_LETTERS = 8


_BEGINS_WITH_SH = re.compile(r"^si(?=[aeo])")
"""Siobhan, Sian and Sinead begin with the sound of "sh"."""


@lru_cache(maxsize=50_000)
def sound(word: str) -> str:
    """How a word of a name is heard, in a few capitals: "smyth" and "smith" are both SMT. Empty for no word.

    Our own, after the manner of Metaphone: the letters that English, Irish, Welsh, Polish, South Asian and West African
    names are commonly misheard for fall together, vowels count at the beginning alone, and doubled letters once. What
    is written in another alphabet stands for itself.
    """
    whole = plain(word) or ""
    letters = "".join(c for c in whole if c.isascii() and c.isalpha())
    if not letters:
        return whole.replace(" ", "")[:SOUND_LETTERS].upper()
    begins = letters[0]
    letters = _BEGINS_WITH_SH.sub("S", letters)
    for written, heard in _BEGINNINGS:
        if letters.startswith(written):
            letters = heard + letters[len(written) :]
            break
    for written, heard in _ANYWHERE:
        letters = letters.replace(written, heard)
    letters = letters.replace("h", "")
    if begins in "aeiou":
        letters = "A" + letters[1:]
    elif begins in "yw" and letters.startswith(begins):
        letters = begins.upper() + letters[1:]
    kept = ["X" if c == "S" else c.upper() for c in letters if c not in "aeiouyw"]
    code = "".join(c for at, c in enumerate(kept) if at == 0 or kept[at - 1] != c)
    return (code or letters[:1].upper())[:SOUND_LETTERS]


@lru_cache(maxsize=50_000)
def codes(word: str) -> tuple[str, ...]:
    """What a word of a name is found by: the sound of each name it may be short for, or its own.

    "kate" has the code of Katherine; "sam" those of Samuel and of Samantha.
    """
    groups = GROUPS_OF.get(word)
    found = [sound(ROOTS[group]) for group in groups] if groups else [sound(word)]
    return tuple(dict.fromkeys(code for code in found if code))


def is_known(word: str) -> bool:
    """Whether a word is a first name that we know, so that another known name near it is no slip of the pen."""
    return word in GROUPS_OF


def how_related(one: str, other: str) -> tuple[str, str] | None:
    """How two different first names can be the same person's: ("short", "katherine") where one is short for the other
    or both are for it, ("spelling", …) for two spellings, None for neither."""
    shared = [group for group in GROUPS_OF.get(one, ()) if group in GROUPS_OF.get(other, ())]
    if not shared:
        return None
    for group in shared:
        whole = GROUPS[group][0]
        if one in whole and other in whole:
            return "spelling", ROOTS[group]
    for group in shared:
        whole = GROUPS[group][0]
        if one in whole or other in whole:
            return "short", one if one in whole else other
    return "short", ROOTS[shared[0]]
