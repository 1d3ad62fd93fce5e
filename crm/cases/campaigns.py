"""Campaigns: made, changed, and found. An event has one of its own; a leaflet or a radio week has another."""

from __future__ import annotations

import re
import secrets
from datetime import datetime

from sqlalchemy import select

from crm.audit import record
from crm.cases.models import Campaign
from crm.db import db
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal


class CampaignNotFound(Refusal):
    """No such campaign."""

    def __init__(self) -> None:
        super().__init__("We can't find that campaign.", status=404)


class CodeTaken(Refusal):
    """Another campaign has this code."""

    default_status = 422


def campaign_by_id(campaign_id: int) -> Campaign:
    """Raises CampaignNotFound."""
    campaign = db.session.get(Campaign, campaign_id)
    if campaign is None:
        raise CampaignNotFound
    return campaign


def create_campaign(*, name: str, code: str | None, cost_pence: int, actor: Actor, now: datetime) -> Campaign:
    """Make a campaign. Without a code it gets one made of its name. Raises CodeTaken."""
    require(actor, Permission.MANAGE_EVENTS)
    code = code or f"{re.sub(r'[^a-z0-9]+', '-', name.casefold()).strip('-')[:30] or 'campaign'}-{secrets.token_hex(2)}"
    _be_free(code, None)
    campaign = Campaign(code=code, name=name.strip()[:200], cost_pence=cost_pence)
    db.session.add(campaign)
    db.session.flush()
    record("campaign.created", actor=actor, at=now, subject=f"campaign:{campaign.id}")
    return campaign


def change_campaign(campaign: Campaign, *, name: str, code: str, cost_pence: int, actor: Actor, now: datetime) -> None:
    """Change a campaign. Links that carry its old code are not counted to it any more. Raises CodeTaken."""
    require(actor, Permission.MANAGE_EVENTS)
    _be_free(code, campaign.id)
    campaign.name, campaign.code, campaign.cost_pence = name.strip()[:200], code, cost_pence
    db.session.flush()
    record("campaign.changed", actor=actor, at=now, subject=f"campaign:{campaign.id}")


def _be_free(code: str, own_id: int | None) -> None:
    other = db.session.scalar(select(Campaign.id).where(Campaign.code == code))
    if other is not None and other != own_id:
        raise CodeTaken("Another campaign has this code. Choose another.", field="code")
