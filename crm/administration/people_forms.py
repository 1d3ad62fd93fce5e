"""The forms about who works here."""

from __future__ import annotations

from crm.rules.permissions import Role
from crm.web.choice_fields import SelectField, SelectMultipleField
from crm.web.forms import BaseForm, EmailField, Needed, Optional, PhoneField, TextField

ROLE_LABELS = {
    Role.RECRUITER: "Recruiter",
    Role.OFFICER: "Officer",
    Role.MANAGER: "Manager",
    Role.PANEL_ADMINISTRATOR: "Panel administrator",
    Role.PANEL_MEMBER: "Panel member",
    Role.DECISION_MAKER: "Decision maker",
    Role.ADMINISTRATOR: "Administrator",
}
ROLE_HINTS = {
    Role.RECRUITER: "Logs enquiries, calls back, runs events. Opens every household that has not applied yet.",
    Role.OFFICER: "Visits and assesses. Opens the households that are theirs.",
    Role.MANAGER: "Allocates, signs off, decides on assessments. Opens every household.",
    Role.PANEL_ADMINISTRATOR: "Runs the panel. Opens households on their way to it.",
    Role.PANEL_MEMBER: "Sits on the panel. Opens the households on their agendas.",
    Role.DECISION_MAKER: "Decides on approvals. Opens households that wait for a decision.",
    Role.ADMINISTRATOR: "Runs the system. Opens no household. Stands alone.",
}


class InviteForm(BaseForm):
    name = TextField("Name", [Needed("Write their name")], longest=120)
    email = EmailField("Work email", [Needed("Write their work email address")])
    mobile = PhoneField("Mobile", [Optional()])
    roles = SelectMultipleField(
        "What they do here", [Needed("Choose at least one role")], choices=list(ROLE_LABELS.items())
    )


class RolesForm(BaseForm):
    roles = SelectMultipleField(
        "What they do here", [Needed("Choose at least one role")], choices=list(ROLE_LABELS.items())
    )


class LeavingForm(BaseForm):
    handed_to = SelectField("Who takes over their households and tasks", coerce=int)
