"""Websites that may hand enquiries in."""

from __future__ import annotations

from crm.web.forms import BaseForm, Needed, TextField


class WebsiteForm(BaseForm):
    name = TextField("What is the website called?", [Needed("Say what the website is called")], longest=80)
