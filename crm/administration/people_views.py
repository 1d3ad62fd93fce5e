"""Who works here: inviting, roles, switching off, leaving."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, url_for

from crm.access import people as accounts
from crm.access.guards import current_actor, requires
from crm.access.models import User
from crm.access.queries import everyone, user_with
from crm.administration.people_forms import ROLE_HINTS, ROLE_LABELS, InviteForm, LeavingForm, RolesForm
from crm.administration.views import bp
from crm.clock import now_utc, today_in_london
from crm.rules.permissions import Permission, Role
from crm.rules.refusal import Refusal
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

NOBODY = 0


def _page(template: str, form: BaseForm, **context: Any) -> Response:
    body = render(
        f"administration/{template}", here="admin", form=form, labels=ROLE_LABELS, hints=ROLE_HINTS, **context
    )
    return make_response(body, form.status)


def _link(token: str) -> str:
    return url_for("access.accept_invitation", token=token, _external=True)


@bp.get("/admin/people")
@requires(Permission.MANAGE_USERS)
def people() -> str:
    """Everybody who works here, is invited, or has left."""
    users = everyone()
    return render(
        "administration/people.html",
        here="admin",
        labels=ROLE_LABELS,
        groups=[
            ("Here now", [user for user in users if user.active]),
            ("Invited", [user for user in users if user.is_invited]),
            ("Switched off", [user for user in users if not (user.active or user.is_invited or user.has_left)]),
            ("Left", [user for user in users if user.has_left]),
        ],
    )


@bp.route("/admin/people/invite", methods=["GET", "POST"])
@requires(Permission.MANAGE_USERS)
@writes
def invite() -> Response:
    """Ask somebody to join. They set their own password from a link in the letter."""
    form = InviteForm()
    if form.is_sent_and_right():
        try:
            user = accounts.invite_user(
                email=form.email.data,
                name=form.name.data,
                roles=[Role(role) for role in form.roles.data],
                mobile=form.mobile.data or None,
                link_for=_link,
                actor=current_actor(),
                now=now_utc(),
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
            body = _page("invite.html", form)
            body.status_code = 422
            return body
        tell(f"{user.name} has been sent an invitation to {user.email}. Its link works for seven days.")
        return see_other(url_for("administration.people"))
    return _page("invite.html", form)


@bp.get("/admin/people/<int:user_id>")
@requires(Permission.MANAGE_USERS)
def person(user_id: int) -> Response:
    """One person: roles, and what can be done with the account."""
    user = user_with(user_id)
    return _person_page(user, RolesForm(roles=sorted(user.roles)), _leaving(user))


@bp.post("/admin/people/<int:user_id>/roles")
@requires(Permission.MANAGE_USERS)
@writes
def change_roles(user_id: int) -> Response:
    """Give somebody these roles and no others."""
    user = user_with(user_id)
    form = RolesForm()
    if form.is_sent_and_right():
        try:
            accounts.change_roles(
                user=user, roles=[Role(role) for role in form.roles.data], actor=current_actor(), now=now_utc()
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{user.name}’s roles are kept. They sign in again, as who they are now.")
            return see_other(url_for("administration.person", user_id=user.id))
    return _person_page(user, form, _leaving(user, blank=True))


@bp.post("/admin/people/<int:user_id>/invite-again")
@requires(Permission.MANAGE_USERS)
@writes
def invite_again(user_id: int) -> Response:
    """A fresh link for somebody who has not come in yet."""
    user = user_with(user_id)
    accounts.invite_again(user=user, link_for=_link, actor=current_actor(), now=now_utc())
    tell(f"{user.name} has been sent a new link. The earlier one no longer works.")
    return see_other(url_for("administration.person", user_id=user.id))


@bp.post("/admin/people/<int:user_id>/off")
@requires(Permission.MANAGE_USERS)
@writes
def switch_off(user_id: int) -> Response:
    """Switch an account off; the person's work stays with them."""
    user = user_with(user_id)
    accounts.disable_user(user=user, actor=current_actor(), now=now_utc())
    tell(f"{user.name} can’t sign in any more. Their work is still theirs.")
    return see_other(url_for("administration.person", user_id=user.id))


@bp.post("/admin/people/<int:user_id>/on")
@requires(Permission.MANAGE_USERS)
@writes
def switch_on(user_id: int) -> Response:
    """Switch an account on again."""
    user = user_with(user_id)
    accounts.enable_user(user=user, actor=current_actor(), now=now_utc())
    tell(f"{user.name} can sign in again.")
    return see_other(url_for("administration.person", user_id=user.id))


@bp.post("/admin/people/<int:user_id>/leave")
@requires(Permission.MANAGE_USERS)
@writes
def leave(user_id: int) -> Response:
    """Somebody leaves: their households and tasks go to another, and the account is shut for good."""
    user = user_with(user_id)
    form = _leaving(user)
    if form.is_sent_and_right():
        to = user_with(form.handed_to.data) if form.handed_to.data != NOBODY else None
        try:
            accounts.leave(user=user, handed_to=to, actor=current_actor(), now=now_utc(), today=today_in_london())
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{user.name} has left." + (f" {to.name} has their households and tasks." if to else ""))
            return see_other(url_for("administration.people"))
    return _person_page(user, RolesForm(takes_answers=False, roles=sorted(user.roles)), form)


def _leaving(user: User, *, blank: bool = False) -> LeavingForm:
    form = LeavingForm(takes_answers=not blank)
    others = [other for other in everyone() if other.active and other.id != user.id]
    form.handed_to.choices = [(NOBODY, "Nobody: they have none"), *((other.id, other.name) for other in others)]
    return form


def _person_page(user: User, form: RolesForm, leaving: LeavingForm) -> Response:
    page = _page("person.html", form, user=user, leaving=leaving, is_me=user.id == current_actor().user_id)
    if leaving.is_sent and leaving.problems:
        page.status_code = leaving.status
    return page
