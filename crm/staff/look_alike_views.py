"""Households that may be the same: looked up while somebody types, and as a list of pairs to say something about."""

from __future__ import annotations

from datetime import date

from flask import Response, request

from crm.access.guards import current_actor, requires
from crm.cases import duplicates, suggest_pairs
from crm.cases.duplicates import LookAlike, look_alikes
from crm.cases.models import CHANNEL_WORDS, Channel
from crm.clock import now_utc, today_in_london
from crm.rules.permissions import Permission
from crm.rules.stages import PLACE
from crm.staff.views import bp, case_path
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

LONGEST = 254
SHOWN = 4
VIEW_WORDS = {
    "suggested": "May be the same",
    "shared": "Share a phone or an email",
    "not_same": "Not the same",
}


@bp.get("/enquiries/look-up")
@requires(Permission.VIEW_CASES)
def look_up() -> str:
    """Who on file is like the person being typed, for the foot of a form. At a stall nobody's name is shown."""
    actor, today = current_actor(), today_in_london()
    found: dict[int, LookAlike] = {}
    for start in ("", "second_"):
        reach = _typed("reach") if not start else None
        for alike in look_alikes(
            given_name=_typed(start + "given_name"),
            family_name=_typed(start + "family_name"),
            phone=_typed(start + "phone") or (reach if reach and "@" not in reach else None),
            email=_typed(start + "email") or (reach if reach and "@" in reach else None),
            postcode=_typed("postcode"),
            born_on=None if start else _birthday(),
            limit=SHOWN,
            actor=actor,
            today=today,
            but_not=_typed("but_not"),
        ):
            found.setdefault(alike.case_id, alike)
    return render(
        "staff/_look_up.html",
        found=sorted(found.values(), key=lambda alike: (not alike.is_strong, -alike.score))[:SHOWN],
        case_path=case_path,
        at_stall="at_stall" in request.args,
    )


def _typed(name: str) -> str | None:
    return request.args.get(name, "").strip()[:LONGEST] or None


def _birthday() -> date | None:
    parts = [request.args.get(f"born_on-{part}", "") for part in ("year", "month", "day")]
    try:
        return date(*(int(part) for part in parts)) if all(part.isascii() for part in parts) else None
    except ValueError:
        return None


@bp.get("/enquiries/look-alikes")
@requires(Permission.MERGE_CASES)
def look_alike_pairs() -> str:
    """Pairs that were found by themselves, with what speaks for each."""
    actor, today = current_actor(), today_in_london()
    view = request.args.get("view", "suggested")
    view = view if view in VIEW_WORDS else "suggested"
    pairs, more = duplicates.pairs_page(actor, view, today=today, after=_after())
    here = "/enquiries/look-alikes" + (f"?view={view}" if view != "suggested" else "")
    return render(
        "staff/look_alike_pairs.html",
        here="enquiries",
        pairs=pairs,
        view=view,
        title=VIEW_WORDS[view],
        views=[
            (
                words,
                "/enquiries/look-alikes" + (f"?view={name}" if name != "suggested" else ""),
                name == view,
                None,
                False,
            )
            for name, words in VIEW_WORDS.items()
        ],
        next_address=f"{here}{'&' if '?' in here else '?'}after={more[0]}_{more[1]}" if more else "",
        first_address=here if _after() else "",
        case_path=case_path,
        place_words=PLACE,
        channel_words={channel.value: words for channel, words in CHANNEL_WORDS.items()},
        channels=Channel,
    )


def _after() -> tuple[float, int] | None:
    score, _, number = request.args.get("after", "").partition("_")
    try:
        found = (float(score), int(number))
    except ValueError:
        return None
    return found if found[0] == found[0] and abs(found[0]) < 1e6 and 0 <= found[1] < 2**31 else None


@bp.post("/enquiries/look-alikes/<int:pair_id>/not-the-same")
@requires(Permission.MERGE_CASES)
@writes
def not_the_same(pair_id: int) -> Response:
    """Keep that the two are two households."""
    actor = current_actor()
    pair = suggest_pairs.pair_for(actor, pair_id, today=today_in_london())
    suggest_pairs.say_not_the_same(pair, actor=actor, now=now_utc())
    tell(
        f"{pair.one.name} and {pair.other.name} are kept as two households. "
        "If that was a slip, take it back under Not the same."
    )
    return see_other("/enquiries/look-alikes" + ("?view=shared" if pair.standing == "shared" else ""))


@bp.post("/enquiries/look-alikes/<int:pair_id>/ask-again")
@requires(Permission.MERGE_CASES)
@writes
def ask_again(pair_id: int) -> Response:
    """Take back that the two are two."""
    actor = current_actor()
    pair = suggest_pairs.pair_for(actor, pair_id, today=today_in_london())
    suggest_pairs.ask_again(pair, actor=actor, now=now_utc())
    tell(f"{pair.one.name} and {pair.other.name} are among those to look at again.")
    return see_other("/enquiries/look-alikes?view=not_same")
