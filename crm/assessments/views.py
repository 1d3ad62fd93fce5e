"""The two blueprints of this feature, and every screen of theirs."""

from __future__ import annotations

from flask import Blueprint

assessments = Blueprint("assessments", __name__)
panel = Blueprint("panel", __name__)

# The pages: imported here so that whoever takes the blueprints has them all.
from crm.assessments import (  # noqa: E402
    application_views,  # noqa: F401
    carer_register_views,  # noqa: F401
    check_views,  # noqa: F401
    course_views,  # noqa: F401
    decision_views,  # noqa: F401
    document_views,  # noqa: F401
    evidence_views,  # noqa: F401
    handing_on_views,  # noqa: F401
    minutes_views,  # noqa: F401
    overview_views,  # noqa: F401
    pack_views,  # noqa: F401
    panel_views,  # noqa: F401
    referee_views,  # noqa: F401
    review_views,  # noqa: F401
    session_views,  # noqa: F401
    stage_views,  # noqa: F401
)
