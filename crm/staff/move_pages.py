"""Which page makes which move, and which page does what a clock asks for.

The pages belong to the features; here they are only named, so that the case page, the board and My day can lead to
them. A page that needs the id of something else (a visit, a check) is named with the page to open where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class MovePage:
    """The endpoint that makes a move or does a job, and the one to open when the ids it needs are not known."""

    endpoint: str
    otherwise: str = "staff.case"
    label: str = ""
    """What its button says on My day; a move has its own label."""


MOVE_PAGES: Mapping[str, MovePage] = MappingProxyType(
    {
        "open_enquiry": MovePage("enquiries.new"),
        "record_contact": MovePage("enquiries.record_contact"),
        "book_visit": MovePage("visits.book"),
        "visit_fell_through": MovePage("visits.no_access", "visits.case_visits"),
        "record_visit": MovePage("visits.record_report", "visits.case_visits"),
        "record_past_visit": MovePage("visits.record_past_visit"),
        "invite_to_apply": MovePage("visits.sign_off", "visits.case_visits"),
        "set_not_now": MovePage("enquiries.not_now"),
        "reopen_enquiry": MovePage("enquiries.reopen"),
        "close_enquiry": MovePage("enquiries.close"),
        "receive_application": MovePage("assessments.receive_application"),
        "decide_to_assess": MovePage("assessments.decide_to_assess", "assessments.overview"),
        "ask_for_full_report": MovePage("panel.recommendation", "assessments.overview"),
        "send_to_decision_maker": MovePage("panel.minutes", "assessments.overview"),
        "approve": MovePage("assessments.decide", "assessments.overview"),
        "continue_assessment": MovePage("assessments.decide", "assessments.overview"),
        "issue_qd": MovePage("assessments.decide", "assessments.overview"),
        "confirm_refusal": MovePage("assessments.decide", "assessments.overview"),
        "receive_representations": MovePage("assessments.response", "assessments.overview"),
        "apply_irm": MovePage("assessments.response", "assessments.overview"),
        "record_irm_recommendation": MovePage("assessments.response", "assessments.overview"),
        "return_to_panel": MovePage("panel.list_case", "assessments.overview"),
        "withdraw": MovePage("assessments.withdraw", "assessments.overview"),
        "complete_stage_one": MovePage("assessments.overview"),
        "reopen_stage_one": MovePage("assessments.overview"),
        "pass_stage_one": MovePage("assessments.stage_one_decision", "assessments.overview"),
        "refuse_stage_one": MovePage("assessments.stage_one_decision", "assessments.overview"),
        "start_stage_two": MovePage("assessments.start_stage_two", "assessments.overview"),
        "share_report": MovePage("assessments.share_report", "assessments.overview"),
        "ready_for_panel": MovePage("assessments.ready_for_panel", "assessments.overview"),
        "list_for_panel": MovePage("panel.list_case", "assessments.overview"),
        "defer_item": MovePage("panel.defer", "assessments.overview"),
        "record_recommendation": MovePage("panel.recommendation", "assessments.overview"),
    }
)
"""Every move that has a button of its own."""

CLOCK_PAGES: Mapping[str, MovePage] = MappingProxyType(
    {
        "first_contact": MovePage("enquiries.record_contact", label="Log the call"),
        "event_follow_up": MovePage("enquiries.record_contact", label="Log the call"),
        # Booking has a clock of its own; what is left of this one is the visit itself.
        "initial_visit": MovePage("visits.case_visits", label="Open visits"),
        "book_visit": MovePage("visits.book", label="Book a visit"),
        "rebook_visit": MovePage("visits.book", label="Book a visit"),
        "no_access_letter": MovePage("visits.case_visits", label="Open visits"),
        # First the report is written, then it is signed off: the visit shows which of the two is next.
        "visit_outcome": MovePage("visits.case_visits", label="Open visits"),
        "visit_sign_off": MovePage("visits.sign_off", "visits.case_visits", "Read the report"),
        "application_expected": MovePage("enquiries.record_contact", label="Log the call"),
        "recontact": MovePage("enquiries.record_contact", label="Log the call"),
        "panel_recommendation": MovePage("assessments.overview", label="Open"),
        "decide_to_assess": MovePage("assessments.decide_to_assess", "assessments.overview", "Decide"),
        "stage_one_target": MovePage("assessments.overview", label="Open checks"),
        "stage_one_decision": MovePage("assessments.stage_one_decision", "assessments.overview", "Decide"),
        "check_chase": MovePage("assessments.record_check", "assessments.overview", "Chase"),
        "dbs_chase": MovePage("assessments.record_check", "assessments.overview", "Chase"),
        "referee_reply": MovePage("assessments.record_check", "assessments.overview", "Chase"),
        "local_authority_views": MovePage("assessments.record_check", "assessments.overview", "Chase"),
        "previous_service_records": MovePage("assessments.record_check", "assessments.overview", "Chase"),
        "previous_service_reference": MovePage("assessments.record_check", "assessments.overview", "Chase"),
        "resignation_effect": MovePage("assessments.record_check", "assessments.overview", "Open"),
        "stage_two_target": MovePage("assessments.report", "assessments.overview", "Open report"),
        "observations": MovePage("assessments.observations", "assessments.overview", "Record them"),
        "panel_papers": MovePage("panel.meeting", "assessments.overview", "Open papers"),
        "panel_minutes": MovePage("panel.minutes", "assessments.overview", "Open minutes"),
        "adm_decision": MovePage("assessments.decide", "assessments.overview", "Decide"),
        "oral_notice": MovePage("assessments.give_notice", "assessments.overview", "Record it"),
        "written_notice": MovePage("assessments.give_notice", "assessments.overview", "Send notice"),
        "foster_care_agreement": MovePage("assessments.overview", label="Open"),
        "first_review": MovePage("assessments.overview", label="Open"),
        "qd_response": MovePage("assessments.response", "assessments.overview", "Record answer"),
        "irm_papers": MovePage("assessments.response", "assessments.overview", "Open"),
    }
)
"""Every clock, with the page where what it asks for is done."""

SHORT_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "record_contact": "Contacted",
        "book_visit": "Visit booked",
        "visit_fell_through": "The visit did not happen",
        "record_visit": "Visited",
        "record_past_visit": "Visited, without a booking",
        "invite_to_apply": "Invited to apply",
        "receive_application": "Received",
        "decide_to_assess": "In assessment",
        "list_for_panel": "With panel",
        "return_to_panel": "With panel",
        "send_to_decision_maker": "With decision maker",
    }
)
"""Where a card of the board goes, said as a place; other moves say their own label."""
