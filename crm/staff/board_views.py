"""The board, and the list behind each of its columns."""

from __future__ import annotations

from datetime import date

from flask import request

from crm import policy
from crm.access.guards import current_actor, requires
from crm.clock import today_in_london
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.staff import board as boards
from crm.staff.move_pages import MOVE_PAGES
from crm.staff.views import address_of, bp
from crm.web.pages import render


class NoSuchPlace(Refusal):
    """The board has no column of that name."""

    default_status = 404


@bp.get("/board")
@requires(Permission.VIEW_BOARD)
def board() -> str:
    """Every household on the way, in its place."""
    today = today_in_london()
    whose = _whose()
    bands = boards.board(current_actor(), today=today, rulebook=policy.rulebook_on(today), whose=whose)
    return render(
        "staff/board.html",
        here="board",
        bands=bands,
        whose=whose,
        choices=boards.WHOSE,
        links=_links,
        is_empty=not any(column.count for _, _, columns in bands for column in columns),
    )


@bp.get("/board/<place>")
@requires(Permission.VIEW_BOARD)
def board_place(place: str) -> str:
    """All the households in one place."""
    at = boards.place_named(place)
    if at is None:
        raise NoSuchPlace("The board has no place of that name. Go back to the board and choose one.")
    today = today_in_london()
    whose = _whose()
    cards, goes_on = boards.place_list(
        current_actor(), at, today=today, rulebook=policy.rulebook_on(today), whose=whose, after=_after()
    )
    return render(
        "staff/board_place.html",
        here="board",
        place=at,
        cards=cards,
        next_after=f"{goes_on[0].isoformat()}.{goes_on[1]}" if goes_on else None,
        is_later_page="after" in request.args,
        whose=whose,
        choices=boards.WHOSE,
        links=_links,
    )


def _whose() -> str:
    whose = request.args.get("whose", "everyone")
    return whose if whose in boards.WHOSE else "everyone"


def _after() -> tuple[date, int] | None:
    day, _, number = request.args.get("after", "").partition(".")
    try:
        return date.fromisoformat(day), int(number) if len(number) < 16 else 0
    except ValueError:
        return None


def _links(moves: tuple[tuple[str, str], ...], reference: str) -> list[tuple[str, str]]:
    """What each move is called, and where it is made."""
    return [(words, address_of(MOVE_PAGES[move], reference)) for words, move in moves]
