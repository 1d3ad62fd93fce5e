"""Forms of the door kit: shape and words."""

from __future__ import annotations

import re
from typing import Any

from wtforms import FileField, HiddenField
from wtforms.validators import ValidationError

from crm.web.choice_fields import SelectField
from crm.web.forms import BaseForm, Needed, TextField

NO_SCRIPT = "This browser can’t seal what is typed, so it can’t work the door. Use “Log somebody” on the event’s page"


class SetUpDeviceForm(BaseForm):
    """What the page made on the device: only public halves and a digest leave it. The PIN itself never does."""

    name = TextField("What is this device called?", [Needed("Give the device a name, like Priya’s phone")], longest=60)
    signing_key = HiddenField("Key", [Needed(NO_SCRIPT)])
    proof = HiddenField("Proof")
    clock = HiddenField("Clock")

    def validate_proof(self, field: Any) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", field.data or ""):
            raise ValidationError(NO_SCRIPT)

    def validate_clock(self, field: Any) -> None:
        if not re.fullmatch(r"[0-9]{1,13}", field.data or ""):
            raise ValidationError(NO_SCRIPT)

    @property
    def clock_ms(self) -> int:
        """What the device's clock said, in milliseconds of 1970."""
        return int(self.clock.data)


class KitFileForm(BaseForm):
    file = FileField("The file from the device", [Needed("Choose the file that the device saved")])


class WhoItIsForm(BaseForm):
    """Whom an entry is about that was kept aside: somebody on the event's list."""

    guest = SelectField("Who is it?", coerce=int)

    def validate_guest(self, field: Any) -> None:
        if not field.data:
            raise ValidationError("Choose who it is from the list")


class KitStepForm(BaseForm):
    """Nothing to fill in: a button that changes something."""
