"""What a name, a phone number, an email address or a postcode is looked up by.

Each key is a lossy, repeatable form of what was typed; what was typed is always kept beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from itertools import product

import phonenumbers

from crm.rules import names
from crm.rules.likeness import mailbox

_POSTCODE = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?)([0-9][A-Z]{2})")
_DISTRICT = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?")


def name_key(name: str | None) -> str | None:
    """Lower case, without accents, apostrophes or doubled spaces: "Zoë  O’Connell" is "zoe oconnell"."""
    return names.plain(name)


def email_key(email: str | None) -> str | None:
    """An email address in lower case, without the spaces around it."""
    return email.strip().casefold() or None if email else None


def postcode_key(postcode: str | None) -> str | None:
    """Letters and digits in upper case, without spaces: "br1 3qd" is "BR13QD". A district alone stays one: "SE18"."""
    if not postcode:
        return None
    return re.sub(r"[^A-Z0-9]", "", postcode.upper())[:12] or None


def tidy_postcode(postcode: str | None) -> str | None:
    """A postcode as it is written: "br13qd" becomes "BR1 3QD". What can't be read is given back as typed."""
    key = postcode_key(postcode)
    if key is None or postcode is None:
        return None
    match = _POSTCODE.fullmatch(key)
    return f"{match[1]} {match[2]}" if match else postcode.strip()


def is_whole_postcode(postcode: str) -> bool:
    return _POSTCODE.fullmatch(postcode_key(postcode) or "") is not None


def district(postcode: str | None) -> str | None:
    """The postcode district ("BR1") of a postcode or of a district typed alone; None when neither."""
    key = postcode_key(postcode) or ""
    match = _POSTCODE.fullmatch(key)
    if match:
        return match[1]
    return key if _DISTRICT.fullmatch(key) else None


@lru_cache(maxsize=4096)  # the same number is asked about many times over while it is being taken in
def phone_key(phone: str | None) -> str | None:
    """E.164 for a number that can be read as one in the UK or abroad, otherwise its digits as typed."""
    if not phone:
        return None
    try:
        number = phonenumbers.parse(phone, "GB")
        if phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        pass
    return re.sub(r"\D", "", phone)[:20] or None


@lru_cache(maxsize=4096)
def phone_doubt(phone: str) -> str | None:
    """A gentle warning about a number that may be mistyped; never a reason to refuse it.

    The ranges set aside for fiction are possible but not valid, so only length and shape are doubted.
    """
    try:
        number = phonenumbers.parse(phone, "GB")
    except phonenumbers.NumberParseException:
        return "This does not look like a phone number. Check it if you can."
    national = str(number.national_number)
    if number.country_code == 44 and len(national) != 10:
        return f"This number has {len(national) + 1} digits; UK numbers usually have 11. Check it if you can."
    if not phonenumbers.is_possible_number(number):
        return "This number looks too short or too long. Check it if you can."
    return None


def say_phone(phone: str | None) -> str | None:
    """A UK number with its usual spaces: "07700 900118"."""
    if not phone:
        return None
    digits = re.sub(r"\D", "", phone)
    if digits.startswith("44"):
        digits = "0" + digits[2:]
    return f"{digits[:5]} {digits[5:]}" if len(digits) == 11 and digits.startswith("0") else phone.strip()


# --- What somebody is found by when the spelling is not theirs --------------------------------------------------------

NAMES, WORD, MAILBOX, BORN = "names", "word", "mailbox", "born"
LONGEST_KEY = 120


def person_keys(
    *,
    given_key: str,
    family_key: str | None,
    other_names: Iterable[tuple[str | None, str | None]] = (),
    email: str | None = None,
    born_on: date | None = None,
) -> frozenset[tuple[str, str]]:
    """Every (kind, key) of a person beside the columns that are indexed as they are. Names come as name keys.

    names: how two names sound, both ways round, so that "Kate Smyth" and "Smith, Catherine" meet ("KTRN SMT").
    word: a word of a name that begins no indexed column: a middle name, half of a double surname, a former name.
    mailbox: where an email leads, however it is written.
    born: a birthday with how the first name sounds; day and month in one order, so that changed about they still meet.
    """
    found: set[tuple[str, str]] = set()
    pairs = [(given_key, family_key), *((given or given_key, family or family_key) for given, family in other_names)]
    for at, (given, family) in enumerate(pairs):
        given_words, family_words = (given or "").split(), (family or "").split()
        found |= {(NAMES, key) for key in sound_keys(given, family)}
        # The first words of the name itself are found by the columns given_key and family_key.
        found |= {(WORD, word) for word in (given_words[at == 0 :] + family_words[at == 0 :])}
    if email and (where := mailbox(email)):
        found.add((MAILBOX, where[:LONGEST_KEY]))
    if born_on is not None:
        found |= {(BORN, key) for key in born_keys(born_on, given_key)}
    return frozenset(found)


def sound_keys(given: str | None, family: str | None) -> frozenset[str]:
    """How a name sounds, in either order of its two halves; of a name that is one word, that word."""
    firsts = [code for word in (given or "").split()[:2] for code in names.codes(word)]
    lasts = [code for word in (family or "").split() for code in names.codes(word)]
    if len((family or "").split()) > 1:
        lasts.append(names.sound(family or ""))
    if not firsts or not lasts:
        return frozenset(firsts or lasts)
    pairs = set(product(firsts, lasts))
    return frozenset(f"{a} {b}"[:LONGEST_KEY] for a, b in pairs | {(b, a) for a, b in pairs})


def born_keys(born_on: date, given: str | None) -> frozenset[str]:
    """A birthday, the smaller of day and month first, with how the first name sounds."""
    low, high = sorted((born_on.day, born_on.month))
    day = f"{born_on.year:04d}-{low:02d}-{high:02d}"
    first = (given or "").split()[:1]
    return frozenset(f"{day} {code}" for word in first for code in names.codes(word))
