"""Forms of sign-in and of one's own account."""

from __future__ import annotations

from wtforms import HiddenField

from crm.web.forms import BaseForm, Needed, SecretField, TextField


class SignInForm(BaseForm):
    """Not an EmailField: whatever is wrong with the address, the answer is the same."""

    email = TextField("Work email", [Needed("Write your work email")], longest=254)
    password = SecretField("Password", [Needed("Write your password")])
    next = HiddenField()


class ForgottenPasswordForm(BaseForm):
    email = TextField("Work email", [Needed("Write your work email")], longest=254)


class NewPasswordForm(BaseForm):
    password = SecretField("New password", [Needed("Choose a password")])


class ChangePasswordForm(BaseForm):
    current_password = SecretField("Your password now", [Needed("Write the password you use now")])
    password = SecretField("New password", [Needed("Choose a new password")])
