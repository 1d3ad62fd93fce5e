"""The worker's part in panel papers: puts each pack together that was asked for, with no transaction open meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select

from crm import policy
from crm.assessments import packs
from crm.assessments.models import PanelItem
from crm.assessments.pack_contents import contents_of, digest_of, lay_out
from crm.assessments.pack_models import PackStep, PanelPack
from crm.cases.models import Case
from crm.db import db, end_read, transaction

LEASE = timedelta(minutes=5)
"""How long one pack may take before another worker may begin it again."""
MOST_TRIES = 3
WAIT = timedelta(minutes=1)
LOOK_EVERY_S = 1.0

log = structlog.get_logger("panel_papers")


def keep_making(stop: threading.Event, *, clock: Callable[[], datetime]) -> None:
    """Put papers together as they are asked for, until told to stop. Needs an application context."""
    while not stop.is_set():
        if not make_next(clock()):
            stop.wait(LOOK_EVERY_S)


def make_next(now: datetime) -> bool:
    """Put together the papers that have waited for longest. Whether there were any.

    1. Claim them for a while, so that nobody else begins them meanwhile.
    2. Gather what is on file, and lay it out. Each step is written down for whoever watches.
    3. Keep the file, sealed. What fails is tried again, three times in all; then the page says so and offers a try.
    """
    if not packs.has_packs_to_make(now):
        return False
    with transaction():
        pack_id = _claim(now)
    if pack_id is None:
        return True  # another worker was quicker
    try:
        made = _put_together(pack_id, now)
    except Exception:
        log.exception("papers_failed", pack=pack_id)
        made = None
        db.session.rollback()
    with transaction():
        pack = packs.waiting_pack(pack_id, lock=True)
        if pack is None:
            return True  # the household left the agenda, and its papers with it
        if made is not None:
            content, pages, digest = made
            packs.keep_made(pack, content, pages=pages, digest=digest, now=now)
        elif pack.tries >= MOST_TRIES:
            packs.give_up(pack)
        else:
            pack.next_at = now + WAIT
    return True


def _claim(now: datetime) -> int | None:
    pack = db.session.scalars(
        select(PanelPack)
        .where(PanelPack.next_at <= now)
        .order_by(PanelPack.next_at, PanelPack.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if pack is None:
        return None
    pack.next_at, pack.tries, pack.step = now + LEASE, pack.tries + 1, PackStep.GATHERING
    return pack.id


def _put_together(pack_id: int, now: datetime) -> tuple[bytes, int, str]:
    """The PDF, how many pages it has, and the digest of what it says."""
    pack = db.session.get_one(PanelPack, pack_id)
    item = db.session.get_one(PanelItem, pack.item_id)
    contents = contents_of(db.session.get_one(Case, item.case_id), item, now=now)
    service = str(policy.service().name)
    end_read()
    with transaction():
        waiting = packs.waiting_pack(pack_id, lock=True)
        if waiting is not None:
            waiting.step = PackStep.LAYING_OUT
    return *lay_out(contents, service=service, now=now), digest_of(contents)
