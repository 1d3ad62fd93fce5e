"""What a service begins with: Kestrel Fostering, a fictional agency in south-east London and Kent.

Its own people change all of it on the settings screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

FIRST_DAY = date(2011, 4, 1)
"""The day that the first editions count from, so that there is policy for any case however old."""

SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "name": "Kestrel Fostering",
        "short_name": "Kestrel",
        "mark": "K",
        "kind": "ifa",
        "reference_prefix": "KF",
        "phone": "01632 960 140",
        "email": "hello@kestrel.example.org",
        "website": "kestrel.example.org",
        "address": "Kestrel Fostering\n14 Station Parade\nBromley\nBR1 3KO",
        "hours": "Monday to Friday, 9am to 7pm",
        "area": "south-east London and Kent",
        "areas": [
            {
                "name": "Bromley and Lewisham",
                "districts": ["BR1", "BR2", "BR3", "BR4", "BR5", "BR6", "SE6", "SE13", "SE26"],
            },
            {
                "name": "Bexley and Greenwich",
                "districts": ["DA1", "DA5", "DA6", "DA7", "DA8", "DA14", "DA15", "SE9", "SE18"],
            },
            {"name": "Medway", "districts": ["ME1", "ME2", "ME3", "ME4", "ME5", "ME7", "ME8"]},
            {
                "name": "West Kent",
                "districts": ["TN1", "TN2", "TN4", "TN9", "TN10", "TN11", "TN12", "TN13", "ME14", "ME15"],
            },
            {
                "name": "East Kent",
                "districts": ["CT1", "CT2", "CT4", "CT5", "CT6", "CT9", "CT10", "CT11", "TN23", "TN24"],
            },
        ],
        "brand_colour": "#0b5d5b",
        "link_colour": "#0a5a80",
        "accent_colour": "#b8431f",
        "fallback_owner_id": None,
        "safe_from_minutes": 9 * 60,
        "safe_until_minutes": 19 * 60,
        "visit_minutes": 120,
        "travel_minutes": 30,
        "winding_percent": 130,
        "car_near_kmh": 28,
        "car_far_kmh": 75,
        "car_fixed_minutes": 10,
        "transit_near_kmh": 15,
        "transit_far_kmh": 40,
        "transit_fixed_minutes": 15,
        "mileage_pence": 45,
        "notice_hours": 2,
        "hold_hours": 48,
        "link_days": 14,
        "chase_days": 3,
        "change_hours": 24,
        "visit_types": [
            {"name": "First home visit", "purpose": "first_visit", "minutes": 90, "officers": 1, "place": "home"},
            {"name": "First talk by video", "purpose": "first_visit", "minutes": 60, "officers": 1, "place": "video"},
            {"name": "Stage 2 session", "purpose": "stage_two_session", "minutes": 120, "officers": 1, "place": "home"},
            {"name": "Second opinion", "purpose": "second_opinion", "minutes": 90, "officers": 2, "place": "home"},
            {"name": "Further visit", "purpose": "re_visit", "minutes": 60, "officers": 1, "place": "home"},
        ],
        "visits_per_day": 3,
        "late_in_minutes": 15,
        "buddy_after_minutes": 15,
        "manager_after_minutes": 30,
        "working_from_minutes": 9 * 60,
        "working_until_minutes": 19 * 60 + 30,
        "asks_midway": "warn",
        "asks_second_opinion": "warn",
        "complaints": (
            "If you are unhappy with how we have dealt with you, tell us by phone, email or letter. "
            "We answer within 10 working days. You can also tell Ofsted on 0300 123 1231."
        ),
    }
)

WORDINGS: Mapping[str, str] = MappingProxyType(
    {
        "consent.email": "You may email me about your events and news. I can stop this at any time.",
        "consent.text": "You may text me about your events and news. I can stop this at any time.",
        "consent.phone": "You may ring me about your events and news. I can stop this at any time.",
        "consent.post": "You may write to me by post about your events and news. I can stop this at any time.",
        "privacy_notice": (
            "We use what you tell us to answer your enquiry and, if you apply, to assess your application. "
            "We keep it safe and show it only to those who need it. "
            "We keep an enquiry that goes no further for two years. "
            "You can ask to see what we hold, to have it put right, or to have it removed."
        ),
        "application.declaration": (
            "What I have written is true and whole as far as I know. If something changes, I will tell you. "
            "I understand that leaving something out may count against my application."
        ),
        "application.checks": (
            "I agree to the checks that fostering law asks for and to those this service makes besides: with the "
            "police (an enhanced DBS with the children’s list), my GP and your medical adviser, my referees, councils "
            "where I have lived and services I have fostered for. I can withdraw at any time. You may keep what you "
            "are told as long as the law says."
        ),
    }
)
