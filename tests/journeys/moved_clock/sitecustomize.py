"""A clock that a test can move, for a service in processes of its own.

Python imports a module of this name at its start when its folder is on PYTHONPATH. `crm.clock` is the product's only
reader of the system clock, so this is the one place to stand: the file named by DOORSTEP_TEST_CLOCK holds how many
seconds to add. Without that variable nothing is changed.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

_file = os.environ.get("DOORSTEP_TEST_CLOCK")
if _file:
    import crm.clock

    _offset = Path(_file)

    def moved_now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(_offset.read_text()))

    crm.clock.now_utc = moved_now
