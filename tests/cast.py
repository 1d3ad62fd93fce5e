"""The standing cast as fixtures: ``cast.officer``, ``client.sign_in(cast.officer)``."""

import flask
import pytest

from crm.db import transaction
from tests.factories import Cast, make_cast


@pytest.fixture
def cast(app: flask.Flask) -> Cast:
    """An officer with the case, an officer without, a recruiter, a manager and so on: the same people in every test."""
    with app.app_context():
        with transaction():
            return make_cast()
