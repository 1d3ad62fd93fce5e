"""Every screen of this feature: importing this makes both blueprints whole."""

from crm.assessments import (
    application_views,  # noqa: F401
    check_views,  # noqa: F401
    decision_views,  # noqa: F401
    panel_views,  # noqa: F401
    stage_views,  # noqa: F401
)
from crm.assessments.overview_views import assessments, panel

__all__ = ["assessments", "panel"]
