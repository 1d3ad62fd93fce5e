"""``python -m tests.calendars.javascript``: part of set-up for tests."""

import sys

import hatch_build
from tests.calendars.javascript import fetch

try:
    fetch()
except hatch_build.BuildFailed as failure:
    sys.exit(str(failure))
