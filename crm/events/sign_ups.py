"""What one line of a sign-up sheet says: people, ways to reach them, answers, and what a person should look at.

Nothing that matters is dropped: what can't go in its own place is kept with the notes, and said. A line is refused only
when it names nobody, or holds no way to reach them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from crm.cases import keys
from crm.cases.models import PersonRole
from crm.cases.open_case import NewConsent, NewPerson
from crm.events.columns import plain
from crm.events.sheets import Line

YES = frozenset({"y", "yes", "yeah", "yep", "ok", "okay", "true", "1", "x", "✓", "✔", "√", "ticked", "tick"})
NO = frozenset({"n", "no", "nope", "none", "false", "0"})

_TITLES = re.compile(r"^(mr|mrs|ms|miss|mx|dr|rev|sir|lady)\b\.?\s*", re.IGNORECASE)
_TITLED_COUPLE = re.compile(
    r"^(?P<one>mr|mrs|ms|miss|mx|dr)\.?\s*(?:&|\+|and)\s*(?P<two>mr|mrs|ms|miss|mx|dr)\.?\s+(?P<name>.+)$",
    re.IGNORECASE,
)
_BETWEEN_TWO = re.compile(r"\s*(?:\+|&|/|;|\n|\band\b)\s*", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@<>(),;:\"\[\]]+@[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)+")
_NO_VOICEMAIL = re.compile(r"\b(no|not|don.?t|never)\b.{0,20}\b(voice ?mail|message|answer ?phone)", re.IGNORECASE)
_IN_CONFIDENCE = re.compile(
    r"\b(must ?n.?t|must not|does ?n.?t|doesn.?t|do not|don.?t)\b.{0,20}\b(know|tell|find out)\b|\bsecret\b|\bunsafe\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\b(with|by) (another|other) (agency|service|council|la|ifa)\b|\bcurrently (fostering|a (foster )?carer)\b"
    r"|\btransfer\b",
    re.IGNORECASE,
)
_UNDER_AGE = re.compile(r"\bage(d)? ?(1[0-9]|20)\b|\bunder ?21\b|\b21 (next|in|on|soon)\b|\bnot 21\b", re.IGNORECASE)
_SMOKES = re.compile(r"\b(smok|vap)", re.IGNORECASE)
_FOSTERED = re.compile(r"\bfostered\b", re.IGNORECASE)
SHEET_MARK = "sheet:"
"""How the mark of a line begins: what came on a sheet is told from what was logged at the event by it."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TOTAL = re.compile(
    r"(sub|grand )?(totals?|sum|count|number of (people|names|sign.?ups)|names?:? \d+)\b", re.IGNORECASE
)
_EATEN = re.compile(r"(\d(?:\.\d+)?)E\+?(\d{1,2})", re.IGNORECASE)
_BETWEEN_WAYS = re.compile(r"\s*(?:\n|;|/|,|\bor\b|&)\s*", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class SignUp:
    """One line, understood. ``refused`` says why it can't be loaded; ``doubts`` are for a person to look at."""

    number: int
    label: str
    fingerprint: str
    people: tuple[NewPerson, ...] = ()
    postcode: str | None = None
    address: str | None = None
    interest: str | None = None
    said: str | None = None
    facts: dict[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    refused: str | None = None
    consents: Mapping[str, bool] = field(default_factory=dict)

    @property
    def may_be_written_to(self) -> bool:
        """Whether a letter of ours may go to them by email: a plain "no" is a no to that too."""
        return self.consents.get("email") is not False


def read_line(
    line: Line,
    columns: Mapping[str, int],
    *,
    event_id: int,
    wording_version: str,
    our_districts: frozenset[str],
    today: date,
) -> SignUp:
    """What a line says. ``our_districts`` are the postcode districts of our area; none leaves it open."""
    cell = {meaning: _cell(line, at, keep_lines=meaning in _MANY_IN_A_CELL) for meaning, at in columns.items()}
    label = (_said_name(cell) or "No name").replace("\n", ", ")
    mark = fingerprint(line, event_id=event_id)
    doubts: list[str] = []
    leftover: list[str] = []
    phone, email = _ways_to_reach(cell.get("phone", ""), cell.get("email", ""), doubts, leftover)
    names = _names(cell, doubts)
    if not names:
        return SignUp(line.number, label, mark, refused="There is no name on this line.")
    second = _second_adult(cell, names, doubts, leftover)
    if not (phone or email or (second is not None and (second.phone or second.email))):
        return SignUp(line.number, label, mark, refused=_no_way(leftover))
    notes = cell.get("notes", "")
    times, no_voicemail, safe_contact = _safe_contact(cell.get("contact_times", ""), notes, doubts)
    consents = _consents(cell, doubts)
    postcode = _postcode(cell.get("postcode", ""), doubts, our_districts, leftover)
    born_on = _born_on(cell.get("born_on", ""), doubts, leftover, today=today)
    people = []
    for position, (given, family) in enumerate(names):
        first = position == 0
        people.append(
            NewPerson(
                given_name=given,
                family_name=family,
                role=PersonRole.APPLICANT_1 if first else PersonRole.APPLICANT_2,
                phone=phone if first else None,
                email=email if first else None,
                born_on=born_on if first else None,
                contact_times=times if first else None,
                no_calls=first and consents.get("phone") is False,
                no_voicemail=first and no_voicemail,
                safe_contact=safe_contact if first else None,
                prefers=_prefers(consents, phone=phone, email=email) if first else None,
                consents=tuple(NewConsent(channel, given_, wording_version) for channel, given_ in consents.items())
                if first
                else (),
            )
        )
    if second is not None:
        people.append(second)
    ways = [way for way, there in (("phone", phone), ("text", phone), ("email", email)) if there]
    if ways and all(consents.get(way) is False for way in ways):
        doubts.append("They said no to every way of reaching them. Talk to whoever took the name before you ring.")
    said = "\n".join(part for part in (notes, *leftover) if part)
    return SignUp(
        line.number,
        label,
        mark,
        people=tuple(people),
        postcode=postcode,
        address=cell.get("address") or None,
        interest=_interest(cell.get("interest", "")),
        said=said or None,
        facts=_facts(cell, notes, doubts),
        doubts=tuple(doubts),
        consents=consents,
    )


_MANY_IN_A_CELL = ("name", "phone", "email", "partner_name")
"""Where a line begun in the cell may stand between two people or two numbers."""


def _cell(line: Line, at: int, *, keep_lines: bool) -> str:
    text = line.cells[at] if at < len(line.cells) else ""
    return text if keep_lines or "\n" not in text else text.replace("\n", " ")


def why_passed_over(line: Line, headings: Sequence[str], columns: Mapping[str, int]) -> str | None:
    """Why a line names nobody, when it is not meant to: a total, or the headings printed once more."""
    filled = [cell for cell in line.cells if cell]
    if [plain(cell) for cell in filled] == [plain(cell) for cell in headings if cell]:
        return "The headings once more."
    if _TOTAL.match(filled[0]) or (len(filled) == 1 and filled[0].isdigit()):
        reach = [line.cells[at] for key in ("phone", "email") if (at := columns.get(key, 99)) < len(line.cells)]
        if not any("@" in cell or sum(c.isdigit() for c in cell) >= 6 for cell in reach):
            return "A total, not a person."
    return None


def fingerprint(line: Line, *, event_id: int) -> str:
    """The mark of a line's content at an event. The same words again, in any sheet of that event, are the same line."""
    words = "\x1f".join(" ".join(cell.casefold().split()) for cell in line.cells).rstrip("\x1f")
    return SHEET_MARK + hashlib.sha256(f"{event_id}\x1f{words}".encode()).hexdigest()


# --- Names ------------------------------------------------------------------------------------------------------------


def _said_name(cell: Mapping[str, str]) -> str:
    return cell.get("name") or " ".join(
        part for part in (cell.get("given_name", ""), cell.get("family_name", "")) if part
    )


def _names(cell: Mapping[str, str], doubts: list[str]) -> list[tuple[str, str | None]]:
    """The people a name cell names: one, or two when it reads as a couple."""
    if cell.get("given_name") or cell.get("family_name"):
        both = [part for part in _BETWEEN_TWO.split(cell.get("given_name", "")) if part]
        if len(both) == 2:
            family = _case(cell.get("family_name", "")) or None
            return _couple([f"{one} {family}" if family and " " not in one else one for one in both], doubts)
        given = _case(cell.get("given_name", "")) or _case(cell["family_name"])
        return [(given[:120], (_case(cell.get("family_name", "")) or None) if cell.get("given_name") else None)]
    name = cell.get("name", "")
    if not name:
        return []
    if name.startswith(_FORMULA):
        doubts.append("The name is a formula. It is kept as text and nothing in it runs. Ask for their name.")
        return [(name[:120], None)]
    titled = _TITLED_COUPLE.match(name)
    if titled:
        given, family = _split(titled["name"])
        if family is None:
            given, family = titled["one"].capitalize(), given
        doubts.append("Two people on one line. Ask for the second one's first name and number.")
        return [(given, family), (titled["two"].capitalize(), family)]
    name = _surname_first(name)
    parts = [part for part in _BETWEEN_TWO.split(_TITLES.sub("", name)) if part]
    if len(parts) == 2:
        return _couple(parts, doubts)
    if not parts:
        return []
    if len(parts) > 2:
        doubts.append("More than two names on one line. The first is kept as the person; look at the rest together.")
        return [_split(parts[0])]
    return [_split(_TITLES.sub("", name))]


def _surname_first(name: str) -> str:
    """ "OSEI, Priya" is Priya Osei; a comma between two whole names stands between two people."""
    parts = [part.strip() for part in name.split(",") if part.strip()]
    if len(parts) < 2 or _BETWEEN_TWO.search(name):
        return name.strip(" ,")
    if len(parts) == 2 and " " not in parts[0]:
        return f"{parts[1]} {parts[0]}"
    return " & ".join(parts)


def _couple(parts: list[str], doubts: list[str]) -> list[tuple[str, str | None]]:
    one, two = _split(parts[0]), _split(parts[1])
    if one[1] is None and two[1] is not None:
        one = (one[0], two[1])
    elif two[1] is None and one[1] is not None:
        two = (two[0], one[1])
    doubts.append("Two people on one line. What reaches them is kept for the first; ask for the second one's own.")
    return [one, two]


def _split(name: str) -> tuple[str, str | None]:
    words = [_case(word) for word in name.split()]
    if not words:
        return name.strip()[:120], None
    if len(words) == 1:
        return words[0][:120], None
    return " ".join(words[:-1])[:120], words[-1][:120]


def _case(word: str) -> str:
    """A name typed in capitals reads as a name; anything else is as it was typed."""
    return word.title() if word.isupper() and len(word) > 2 else word.strip()


# --- Ways to reach them -----------------------------------------------------------------------------------------------


def _ways_to_reach(phone: str, email: str, doubts: list[str], leftover: list[str]) -> tuple[str | None, str | None]:
    """Phone and email. What could be neither, and what is one too many, is kept with the notes."""
    if "@" in phone and "@" not in email:
        phone, email = email, phone
    phone = _uneaten(_first_of(phone, "phone number", doubts, leftover), doubts, leftover)
    email = _first_of(email, "email address", doubts, leftover) if email.count("@") > 1 else email.replace("\n", "")
    email = re.sub(r"^mailto:|\s+", "", email.strip(" <>;,."), flags=re.IGNORECASE)
    digits = re.sub(r"\D", "", phone)
    if phone and len(digits) < 6:
        doubts.append(f"“{phone}” is not a phone number. It is kept with the notes.")
        leftover.append(f"Phone as written: {phone}")
        phone = ""
    elif phone and (doubt := keys.phone_doubt(phone)):
        doubts.append(doubt)
    if email and not _EMAIL.fullmatch(email):
        doubts.append(f"“{email}” is not an email address that works. It is kept with the notes.")
        leftover.append(f"Email as written: {email}")
        email = ""
    return phone[:40] or None, email[:254] or None


def _first_of(text: str, what: str, doubts: list[str], leftover: list[str]) -> str:
    """The first of several numbers or addresses in one cell; the others are kept with the notes."""
    parts = [part for part in _BETWEEN_WAYS.split(text) if part]
    whole = [part for part in parts if "@" in part or sum(c.isdigit() for c in part) >= 6]
    if len(whole) < 2:
        return text.replace("\n", " ")
    doubts.append(f"More than one {what} on this line. The first is used; the others are kept with the notes.")
    leftover.append(f"Other {what}: {', '.join(whole[1:])}")
    return whole[0]


def _uneaten(phone: str, doubts: list[str], leftover: list[str]) -> str:
    """A number as it was before a spreadsheet took it for a quantity: the leading 0 is put back, 7.7009E+09 is undone
    while all its digits are there."""
    found = _EATEN.fullmatch(phone.replace(" ", ""))
    if found:
        digits, size = found[1].replace(".", ""), int(found[2])
        if len(digits) < size + 1:
            doubts.append(f"The spreadsheet has eaten the end of this phone number ({phone}). Look at the paper.")
            leftover.append(f"Phone as written: {phone}")
            return ""
        phone = digits
    # A UK number without its 0 has ten digits that begin with 1, 2, 3 or 7.
    if re.fullmatch(r"[1237]\d{9}", phone):
        return f"0{phone}"
    if re.fullmatch(r"44[1237]\d{9}", phone):
        return f"+{phone}"
    return phone


def _no_way(leftover: Sequence[str]) -> str:
    if any(part.startswith("Phone as written") and "E+" in part.upper() for part in leftover):
        return (
            "The spreadsheet has eaten the phone number and there is no email address. "
            "Make the phone column text in the first sheet, or type the number in again."
        )
    return "There is no way to reach them: no phone number and no email address."


def _second_adult(
    cell: Mapping[str, str], names: Sequence[tuple[str, str | None]], doubts: list[str], leftover: list[str]
) -> NewPerson | None:
    """The other adult, where the sheet has columns for them."""
    name = cell.get("partner_name", "")
    if not name or name.casefold() in NO | {"n/a", "-"}:
        return None
    if len(names) > 1:
        leftover.append(f"Second adult as written: {name}")
        return None
    phone, email = _ways_to_reach(cell.get("partner_phone", ""), cell.get("partner_email", ""), doubts, leftover)
    given, family = _split(_TITLES.sub("", _surname_first(name.replace("\n", " "))))
    return NewPerson(
        given_name=given,
        family_name=family or names[0][1],
        role=PersonRole.APPLICANT_2,
        phone=phone,
        email=email,
    )


def _born_on(text: str, doubts: list[str], leftover: list[str], *, today: date) -> date | None:
    """A date of birth, as people and spreadsheets write it: day first, or the number of days that Excel counts."""
    if not text:
        return None
    born = _read_day(text.strip(" ."), today=today)
    if born is None or not date(1900, 1, 1) < born < today:
        doubts.append(f"“{text}” is not a date of birth that we can read. It is kept with the notes.")
        leftover.append(f"Date of birth as written: {text}")
        return None
    if (today.year - born.year - ((today.month, today.day) < (born.month, born.day))) < 21:
        doubts.append("Under 21 by the date of birth. Agree when to talk again.")
    return born


def _read_day(text: str, *, today: date) -> date | None:
    iso = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})(?: .*)?", text)
    if iso:
        return _day(int(iso[1]), int(iso[2]), int(iso[3]))
    if re.fullmatch(r"\d{5}", text):
        return date(1899, 12, 30) + timedelta(days=int(text))
    found = re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?[\s./-]+(\d{1,2}|[A-Za-z]{3,9})[\s./,-]+(\d{2}|\d{4})", text)
    if found is None:
        return None
    day, year = int(found[1]), int(found[3])
    if found[2].isdigit():
        month = int(found[2])
    else:
        name = found[2][:3].casefold()
        month = _MONTHS.index(name) + 1 if name in _MONTHS else 0
    if year < 100:
        year += 2000 if year <= today.year % 100 else 1900
    if month > 12 >= day:  # month first, as in America: there is no other way to read it
        day, month = month, day
    return _day(year, month, day)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _postcode(text: str, doubts: list[str], ours: frozenset[str], leftover: list[str]) -> str | None:
    if not text:
        return None
    district = keys.district(text)
    if district is None:
        doubts.append(f"“{text}” is not a postcode. It is left empty: ask for it.")
        if len(text) > 4:
            leftover.append(f"Postcode as written: {text}")
        return None
    if not keys.is_whole_postcode(text):
        doubts.append(f"The postcode stops at {district}. Ask for the rest.")
    if ours and district not in ours:
        doubts.append(f"{district} is outside our area. Talk about distance, or say who is nearer.")
    return keys.tidy_postcode(text)


def _safe_contact(times: str, notes: str, doubts: list[str]) -> tuple[str | None, bool, str | None]:
    """When they like to be rung, whether a voicemail may be left, and what else to mind."""
    warning = [text for text in (times, notes) if text and (_NO_VOICEMAIL.search(text) or _IN_CONFIDENCE.search(text))]
    no_voicemail = any(_NO_VOICEMAIL.search(text) for text in (times, notes))
    if warning:
        # Somebody who must not be found out is not to hear it from an answering machine either.
        no_voicemail = no_voicemail or any(_IN_CONFIDENCE.search(text) for text in warning)
        doubts.append("Safe contact: no voicemail will be left. Read the warning before you ring.")
    kept_times = None if _NO_VOICEMAIL.search(times) else times[:200] or None
    return kept_times, no_voicemail, "; ".join(warning) or None


def _consents(cell: Mapping[str, str], doubts: list[str]) -> dict[str, bool]:
    """Yes and no by channel. Nothing written is no answer: it is kept as neither."""
    found = {}
    for column, channel, words in (
        ("ok_email", "email", "email"),
        ("ok_text", "text", "text"),
        ("ok_phone", "phone", "ring"),
    ):
        answer = cell.get(column, "").casefold().strip(" .!")
        if not answer:
            continue
        if answer in YES:
            found[channel] = True
        elif answer in NO:
            found[channel] = False
        else:
            doubts.append(f"“{cell[column]}” under “OK to {words}” is neither yes nor no. It is not kept as a yes.")
    return found


def _prefers(consents: Mapping[str, bool], *, phone: str | None, email: str | None) -> str | None:
    if consents.get("phone") is False:
        if consents.get("text") and phone:
            return "text"
        if consents.get("email") and email:
            return "email"
    return None


# --- Answers ----------------------------------------------------------------------------------------------------------


def _interest(text: str) -> str | None:
    words = text.casefold()
    if "look" in words:
        return "looking"
    if "think" in words or "maybe" in words:
        return "thinking"
    return "ready" if "ready" in words or "now" in words else None


def _facts(cell: Mapping[str, str], notes: str, doubts: list[str]) -> dict[str, str]:
    facts: dict[str, str] = {}
    room = cell.get("spare_room", "")
    if room:
        facts["spare_room"] = _room(room, doubts)
    age = cell.get("over_21", "")
    if age:
        plain = age.casefold().strip(" .")
        facts["age_over_21"] = "Yes" if plain in YES else "No" if plain in NO else age[:200]
    if age.casefold().strip(" .") in NO or _UNDER_AGE.search(age) or _UNDER_AGE.search(notes):
        facts["age_over_21"] = f"Not yet: {age}" if age and age.casefold() not in YES | NO else "No"
        doubts.append("Under 21. Ask for their date of birth, and agree when to talk again.")
    if notes:
        facts["staff_notes"] = notes
        if _ELSEWHERE.search(notes):
            facts["current_approval"] = f"Yes: {notes}"
            doubts.append("With another agency now, so this is a transfer. Ask which service, and since when.")
        if _SMOKES.search(notes):
            facts["smoking"] = f"{'Only outside' if 'outside' in notes.casefold() else 'Yes'}: {notes}"
        if _FOSTERED.search(notes):
            facts["fostered_before"] = f"Yes: {notes}"
    return facts


def _room(text: str, doubts: list[str]) -> str:
    words = text.casefold().strip()
    if words in YES or re.match(r"[1-9]\b", words) or words.startswith("yes"):
        return "Yes" if words in YES else f"Yes: {text}"
    if words.startswith("not yet"):
        rest = text[7:].strip(" -:,")
        return f"Not yet: {rest}" if rest else "Not yet"
    if words in NO or words.startswith("no "):
        return "No" if words in NO else f"No: {text}"
    doubts.append(f"“{text}” under the spare room needs asking again.")
    return f"I don't know: {text}"
