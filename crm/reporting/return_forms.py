"""The forms of a frozen return."""

from __future__ import annotations

from crm.reporting.freezing import LONGEST_WHY
from crm.web.forms import BaseForm, LongTextField, Needed


class FreezeForm(BaseForm):
    """Freeze the figures that were shown: ``seen`` is their mark."""


class ThawForm(BaseForm):
    """Why a frozen return is thawed."""

    why = LongTextField("Why it is thawed", [Needed("Say why it is thawed")], longest=LONGEST_WHY)
