"""The one kind of "no" that a person is meant to read."""

from __future__ import annotations


class Refusal(Exception):
    """Something that was asked for can't be done, and here is why.

    Subclasses are written beside the function that raises them and named for what could not be done. The web edge
    turns each into a page with this status; everything else is a fault of ours and stays an exception.

    `message`: plain words for the person who asked. `status`: 403 not theirs to do, 404 not there for them, 409 not as
    things stand, 422 something typed needs putting right. `alternatives`: what they could do instead, each a short
    sentence. `field`: the form field to put right, where there is one.
    """

    default_status: int = 409

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        alternatives: tuple[str, ...] = (),
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message: str = message
        self.status: int = self.default_status if status is None else status
        self.alternatives: tuple[str, ...] = tuple(alternatives)
        self.field: str | None = field
