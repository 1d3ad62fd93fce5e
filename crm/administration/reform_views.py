"""Changes of the law that may come, each tried on last year's cases."""

from __future__ import annotations

from crm import policy
from crm.access.guards import current_actor, requires
from crm.administration.views import bp
from crm.assessments.reform_trial import try_reform
from crm.clock import today_in_london
from crm.rules.permissions import Permission
from crm.rules.reforms import REFORMS_BY_NAME
from crm.rules.refusal import Refusal
from crm.web.pages import render


class NoSuchReform(Refusal):
    """There is no reform of that name."""

    default_status = 404


@bp.get("/admin/rules/reforms/<name>")
@requires(Permission.TRY_RULES)
def reform(name: str) -> str:
    """What a change would have meant for the applications of the last year. Who may open them finds them there."""
    found = REFORMS_BY_NAME.get(name)
    if found is None:
        raise NoSuchReform("We can’t find that change of the rules.")
    return render(
        "administration/reform.html",
        here="admin",
        reform=found,
        trial=try_reform(found, policy.rulebook_on(today_in_london())),
        may_open=current_actor().has(Permission.VIEW_ALL_CASES),
    )
