"""What every file that can't be taken in has in common."""

from __future__ import annotations

from crm.rules.refusal import Refusal


class NotAFile(Refusal):
    """What was handed in is nothing that can be kept. The message says what to do instead."""

    default_status = 422
