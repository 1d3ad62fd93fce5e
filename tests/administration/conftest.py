"""The same households and browsers as for the staff screens."""

from tests.staff.conftest import as_member, make_household

__all__ = ["as_member", "make_household"]
