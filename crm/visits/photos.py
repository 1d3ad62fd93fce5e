"""Photos of what was looked at on a visit. Who may read the report may see them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from crm.db import db
from crm.files.models import StoredFile
from crm.files.pictures import NotAPicture, Picture, redraw
from crm.files.store import digest_of, drop, keep
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.visits.models import Visit
from crm.visits.phone_models import VisitPhoto
from crm.visits.questions import ITEMS

MOST_OF_ONE = 6


class NoSuchPhoto(Refusal):
    """No such photo, or not one of this visit: the two are never told apart."""

    def __init__(self) -> None:
        super().__init__("We can’t find that photo.", status=404)


class EnoughPhotos(Refusal):
    """There are as many photos of one thing as anybody looks at."""

    default_status = 422


def photos_of(visit: Visit) -> dict[str, list[int]]:
    """The numbers of a visit's photos by what they show, the first taken first. No picture is opened."""
    found: dict[str, list[int]] = defaultdict(list)
    rows = db.session.execute(
        select(VisitPhoto.item, VisitPhoto.id).where(VisitPhoto.visit_id == visit.id).order_by(VisitPhoto.id)
    )
    for row in rows:
        found[row.item].append(row.id)
    return dict(found)


def photo_of(visit: Visit, photo_id: int) -> tuple[VisitPhoto, StoredFile]:
    """A photo of this visit and its file. Raises NoSuchPhoto."""
    row = db.session.execute(
        select(VisitPhoto, StoredFile)
        .join(StoredFile, StoredFile.id == VisitPhoto.file_id)
        .where(VisitPhoto.id == photo_id, VisitPhoto.visit_id == visit.id)
    ).first()
    if row is None:
        raise NoSuchPhoto
    return row[0], row[1]


@dataclass(frozen=True)
class Taken:
    """A photo that was handed in: drawn anew, or why it can't be."""

    digest: str
    picture: Picture | None
    fault: NotAPicture | None = None


def take(raw: bytes) -> Taken:
    """Draw a photo anew. Slow: no transaction is to be open meanwhile."""
    try:
        return Taken(digest_of(raw), redraw(raw))
    except NotAPicture as fault:
        return Taken(digest_of(raw), None, fault)


def take_each(handed_in: Mapping[str, bytes]) -> dict[str, Taken]:
    """Draw photos anew, by name; the same one handed in for two things is drawn once. Slow, as ``take``."""
    drawn: dict[str, Taken] = {}
    for raw in handed_in.values():
        if digest_of(raw) not in drawn:
            drawn[digest_of(raw)] = take(raw)
    return {name: drawn[digest_of(raw)] for name, raw in handed_in.items()}


def add_photo(visit: Visit, item: str, taken: Taken, *, actor: Actor, now: datetime) -> None:
    """Keep a photo of one thing, within the saving of its part. The same photo handed in again is there once.

    Raises NotAPicture, EnoughPhotos, each beside the box it came by.
    """
    if item not in ITEMS:
        raise NoSuchPhoto
    here = db.session.scalars(
        select(StoredFile.digest)
        .join(VisitPhoto, VisitPhoto.file_id == StoredFile.id)
        .where(VisitPhoto.visit_id == visit.id, VisitPhoto.item == item)
    ).all()
    if taken.digest in here:
        return
    field = f"{item}_photo"
    if len(here) >= MOST_OF_ONE:
        raise EnoughPhotos(f"{MOST_OF_ONE} photos of one thing are enough. Remove one first.", field=field)
    if taken.picture is None:
        raise NotAPicture(taken.fault.message if taken.fault else "That is no photo.", field=field)
    picture = taken.picture
    stored = keep(picture.media, picture.content, digest=taken.digest, case_id=visit.case_id, actor=actor, now=now)
    db.session.add(VisitPhoto(visit_id=visit.id, item=item, file_id=stored.id, added_at=now, added_by_id=actor.user_id))
    db.session.flush()


def remove_photo(visit: Visit, photo_id: int, *, actor: Actor, now: datetime) -> None:
    """Drop a photo, within the saving of its part. Gone already, nothing changes."""
    try:
        photo, stored = photo_of(visit, photo_id)
    except NoSuchPhoto:
        return
    db.session.delete(photo)
    db.session.flush()
    drop(stored, case_id=visit.case_id, actor=actor, now=now)
