"""Answers that were sent become a case, once, whether the public form or a website handed them in.

Sent again with other answers, a draft is a new version of the same enquiry. What shows signs of a program is kept aside
until a person has looked at it (``held``): it is never lost, and it is an enquiry of the moment at which it came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from crm import policy
from crm.audit import record
from crm.cases import keys
from crm.cases.consents import consents_in_force
from crm.cases.facts import state_fact
from crm.cases.models import Case, Channel, Person, PersonRole
from crm.cases.open_case import (
    NewConsent,
    NewPerson,
    NewTouch,
    add_person,
    household_name_of,
    join_case,
    keep_answers,
    open_case,
    set_contact_points,
    set_name,
)
from crm.cases.owners import whose_turn
from crm.cases.queries import case_by_id
from crm.cases.tasks import add_task
from crm.clock import london_date
from crm.db import db
from crm.enquiries import campaigns, drafts, held
from crm.enquiries.models import EnquiryDraft, EnquiryOrigin, HeldEnquiry, HeldState
from crm.enquiries.queries import enquiry_by_one_time_id
from crm.enquiries.questions import HEARD_WORDS, PREFERS_WORDS, SAFE_WORDS, TIMES_WORDS, first_gap, label_of
from crm.rules.eligibility import age_on
from crm.rules.permissions import Actor
from crm.rules.quiet_times import keep_quiet
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

SOURCE = "Web form"
NEWS_CHANNELS = ("email", "text", "phone", "post")


class NotReadyToSend(Refusal):
    """Something without which nobody can ring back is missing."""

    default_status = 422


@dataclass(frozen=True)
class Sent:
    """What came, as the form and a website hand it in alike. ``answers`` are named as in ``questions``."""

    answers: Mapping[str, Any]
    arrivals: Sequence[Mapping[str, str]]
    received_at: datetime
    one_time_id: str
    source: str = SOURCE
    website_id: int | None = None
    signs: tuple[str, ...] = ()
    """Of a program, in the words of ``web.robots``; with any, it waits until a person has looked at it."""


def send_draft(
    draft: EnquiryDraft,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    signs: tuple[str, ...] = (),
    notice: str | None = None,
) -> Case | HeldEnquiry:
    """Make the draft an enquiry, or bring the enquiry it already is up to date.

    The same answers again are the same enquiry. Changed answers are kept as another touch of it, which staff see, and
    the clock of the first one goes on. ``notice`` is the version of the privacy notice that was on the page. Raises
    NotReadyToSend.
    """
    answers = drafts.answers_of(draft)
    if notice:
        answers["notice"] = notice
    if first_gap(answers) is not None:
        raise NotReadyToSend("We need your name, and a phone number or an email, to get back to you.")
    sent = Sent(
        answers=answers,
        arrivals=drafts.arrivals_of(draft),
        received_at=now,
        one_time_id=f"web:{draft.token_hash[:48]}:{(draft.sent_count or 0) + 1}",
        signs=signs,
    )
    case = case_by_id(draft.case_id) if draft.case_id is not None else None
    kept = db.session.get(HeldEnquiry, draft.held_id) if draft.held_id is not None else None
    if draft.sent_count and drafts.answers_digest(draft) == draft.sent_digest:
        made = case or kept
        assert made is not None  # a draft that was sent became one of the two: the table says so
        return made
    if case is not None:
        _amend(case, sent, actor=actor, now=now, today=today, rulebook=rulebook)
    elif kept is not None and kept.state == HeldState.WAITING:
        kept.answers, kept.name = as_text(sent), _name(answers)
    else:
        made = take_in(sent, actor=actor, now=now, today=today, rulebook=rulebook)
        case, kept = (made, None) if isinstance(made, Case) else (None, made)
    drafts.note_sent(draft, case_id=case.id if case else None, held_id=kept.id if kept else None, now=now)
    made = case or kept
    assert made is not None
    return made


def take_in(sent: Sent, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> Case | HeldEnquiry:
    """What came becomes a case, or waits for a person to look at it."""
    if sent.signs:
        turn = whose_turn(sent.answers.get("postcode") or None, now=now, today=today)
        return held.keep_aside(
            name=_name(sent.answers),
            text=as_text(sent),
            signs=sent.signs,
            received_at=sent.received_at,
            one_time_id=sent.one_time_id,
            website_id=sent.website_id,
            owner_id=turn.user_id if turn is not None else None,
            actor=actor,
            now=now,
            today=today,
        )
    return open_from(sent, actor=actor, now=now, today=today, rulebook=rulebook)


def open_from(sent: Sent, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> Case:
    """A case of what came, its clock counting from when it came."""
    answers = sent.answers
    postcode = answers.get("postcode") or None
    campaign_ids = campaigns.campaigns_of(sent.arrivals)
    case = open_case(
        people=_people(answers, rulebook=rulebook, today=today),
        touch=_touch(sent, campaign_ids),
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        postcode=postcode,
        facts=_household_facts(sent, rulebook=rulebook),
    )
    _keep_origin(sent, campaign_ids, today=today)
    _remind(case, answers, actor=actor, now=now)
    return case


def let_in(row: HeldEnquiry, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> Case:
    """A person looked at what was kept aside, and it is an enquiry: of the moment at which it came.

    Raises held.AlreadyDecided.
    """
    held.refuse_decided(row)
    sent = from_text(row)
    case = open_from(sent, actor=actor, now=now, today=today, rulebook=rulebook)
    held.note_let_in(row, case=case, actor=actor, now=now)
    return case


def _name(answers: Mapping[str, Any]) -> str:
    return f"{answers['given_name']} {answers.get('family_name') or ''}".strip()


def as_text(sent: Sent) -> str:
    """What came, to be kept sealed."""
    kept = {"answers": dict(sent.answers), "arrivals": list(sent.arrivals), "source": sent.source}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False)


def from_text(row: HeldEnquiry) -> Sent:
    """What was kept aside, as it came."""
    kept = json.loads(row.answers or "{}")
    return Sent(
        answers=kept["answers"],
        arrivals=kept["arrivals"],
        source=kept["source"],
        received_at=row.received_at,
        one_time_id=row.one_time_id,
        website_id=row.website_id,
    )


def _amend(case: Case, sent: Sent, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> None:
    """Bring a case that came from this draft up to date with what was changed in it."""
    answers, stated_on = sent.answers, london_date(now)
    for new in _people(answers, rulebook=rulebook, today=today):
        person = next((one for one in case.household.people if one.role == new.role), None)
        if person is None:
            add_person(case, new, source=SOURCE, stated_on=stated_on, actor=actor, now=now)
        else:
            _bring_up_to_date(case, person, new, stated_on=stated_on, actor=actor, now=now)
    case.household.postcode = keys.tidy_postcode(answers.get("postcode"))
    case.household.postcode_key = keys.postcode_key(answers.get("postcode"))
    case.household.name = household_name_of(case.household)
    for key, value in _household_facts(sent, rulebook=rulebook).items():
        state_fact(case, key=key, value=value, source=SOURCE, stated_on=stated_on, actor=actor, now=now)
    campaign_ids = campaigns.campaigns_of(sent.arrivals)
    touch = _touch(sent, campaign_ids, source=f"{SOURCE}, answers changed")
    join_case(case, touch, actor=actor, now=now, today=today, rulebook=rulebook)
    _keep_origin(sent, campaign_ids, today=today)
    _remind(case, answers, actor=actor, now=now)
    record("enquiry.amended", actor=actor, at=now, case_id=case.id, subject=f"case:{case.reference}")


def _bring_up_to_date(
    case: Case, person: Person, new: NewPerson, *, stated_on: date, actor: Actor, now: datetime
) -> None:
    set_name(person, new.given_name, new.family_name)
    set_contact_points(person, email=new.email, phone=new.phone)
    person.born_on, person.contact_times = new.born_on, new.contact_times
    person.no_calls, person.no_voicemail = new.no_calls, new.no_voicemail
    person.no_texts, person.no_emails, person.no_letters = new.no_texts, new.no_emails, new.no_letters
    person.quiet_times = new.quiet_times
    person.safe_contact, person.prefers = new.safe_contact, new.prefers
    in_force = consents_in_force([person.id]).get(person.id, {})
    keep_answers(case, person, new, in_force=in_force, source=SOURCE, stated_on=stated_on, actor=actor, now=now)
    db.session.flush()


def _touch(sent: Sent, campaign_ids: Sequence[int | None], *, source: str | None = None) -> NewTouch:
    answers, said = sent.answers, []
    if answers.get("second") == "dont_know":
        said.append("Not sure yet whether another adult would foster with them.")
    if answers.get("ring_on"):
        said.append(f"Would like us to ring on {_day(answers['ring_on'])}, when it suits them better.")
    if answers.get("said"):
        said.append(answers["said"])
    return NewTouch(
        channel=Channel.WEB,
        received_at=sent.received_at,
        source=source or sent.source,
        said=" ".join(said) or None,
        one_time_id=sent.one_time_id,
        campaign_id=next((one for one in campaign_ids if one is not None), None),
    )


def _day(kept: str) -> str:
    day = date.fromisoformat(kept)
    return f"{day.day} {day:%B %Y}"


def _keep_origin(sent: Sent, campaign_ids: Sequence[int | None], *, today: date) -> None:
    """How they came, beside the touch: where they heard of us, by which links, and what stood on the page."""
    answers = sent.answers
    enquiry_id = enquiry_by_one_time_id(sent.one_time_id)
    db.session.add(
        EnquiryOrigin(
            enquiry_id=enquiry_id,
            heard=answers.get("heard") or None,
            heard_detail=answers.get("heard_detail") or None,
            privacy_version=_notice(answers, today=today),
            ring_on=date.fromisoformat(answers["ring_on"]) if answers.get("ring_on") else None,
            website_id=sent.website_id,
        )
    )
    campaigns.keep_arrivals(enquiry_id, sent.arrivals, campaign_ids)


def _notice(answers: Mapping[str, Any], *, today: date) -> str:
    return str(answers.get("notice") or policy.wording("privacy_notice", today).version)


def _remind(case: Case, answers: Mapping[str, Any], *, actor: Actor, now: datetime) -> None:
    """They asked to be rung on a later day: its owner has that in the diary, whatever is agreed in the first talk."""
    if not answers.get("ring_on") or case.owner_id is None:
        return
    day = date.fromisoformat(answers["ring_on"])
    title = f"{case.household.name}: ring them, as they asked for {_day(answers['ring_on'])}"
    if not held.has_task(case_id=case.id, title=title, of_user=case.owner_id):
        add_task(title=title, assigned_to_id=case.owner_id, due_on=day, actor=actor, now=now, case=case)


def _people(answers: Mapping[str, Any], *, rulebook: Rulebook, today: date) -> list[NewPerson]:
    born_on = date.fromisoformat(answers["born_on"]) if answers.get("born_on") else None
    facts = {}
    if born_on is not None:
        age = age_on(born_on, today)
        facts["age_over_21"] = "Yes" if age >= 21 else f"No: {age} now"
    for name, key in (("right_to_live", "right_to_work"), ("approved_elsewhere", "current_approval")):
        label = label_of(rulebook.criteria, name, answers.get(name))
        if label:
            facts[key] = label
    facts["privacy_notice"] = f"Version {_notice(answers, today=today)}"
    safe, safe_note = answers.get("safe") or "yes", answers.get("safe_note") or ""
    never = set(answers.get("never_by") or ())
    warning = ". ".join(part for part in (SAFE_WORDS[safe] if safe != "yes" else "", safe_note) if part)
    prefers = answers.get("prefers") if answers.get("prefers") in PREFERS_WORDS else None
    people = [
        NewPerson(
            given_name=answers["given_name"],
            family_name=answers.get("family_name") or None,
            email=answers.get("email") or None,
            phone=answers.get("phone") or None,
            born_on=born_on,
            prefers="text" if safe == "text_first" else prefers or (None if answers.get("phone") else "email"),
            contact_times=TIMES_WORDS.get(answers.get("contact_times") or ""),
            no_calls=safe == "text_first",
            no_voicemail=safe != "yes",
            no_texts="text" in never,
            no_emails="email" in never,
            no_letters="post" in never,
            quiet_times=keep_quiet(answers.get("quiet_times") or ()),
            safe_contact=warning or None,
            consents=_consents(answers, "news"),
            facts=facts,
        )
    ]
    if answers.get("second") in ("partner", "other") and answers.get("second_given_name"):
        people.append(
            NewPerson(
                given_name=answers["second_given_name"],
                family_name=answers.get("second_family_name") or None,
                role=PersonRole.APPLICANT_2,
                email=answers.get("second_email") or None,
                phone=answers.get("second_phone") or None,
                no_voicemail=safe != "yes",
                # Nobody says yes for somebody else: what the second adult agreed to counts where they were there.
                consents=_consents(answers, "second_news") if answers.get("second_here") == "yes" else (),
            )
        )
    return people


def _consents(answers: Mapping[str, Any], name: str) -> tuple[NewConsent, ...]:
    """What one adult said to news, on each channel they were asked about, and under which words: a box left empty is
    kept as not given."""
    chosen = set(answers.get(name) or ())
    shown: Mapping[str, str] = answers.get(f"{name}_wordings") or {}
    return tuple(
        NewConsent(channel, channel in chosen, shown[channel]) for channel in NEWS_CHANNELS if channel in shown
    )


def news_channels(answers: Mapping[str, Any], *, second: bool = False) -> tuple[str, ...]:
    """The channels on which news could reach one of the adults: nobody is asked about a number that was not given, or
    about a way they ruled out."""
    email, phone = ("second_email", "second_phone") if second else ("email", "phone")
    never = set() if second else set(answers.get("never_by") or ())
    channels = []
    if answers.get(email):
        channels.append("email")
    if answers.get(phone):
        channels.append("text")
        if second or answers.get("safe") != "text_first":
            channels.append("phone")
    return tuple(channel for channel in channels if channel not in never)


def _household_facts(sent: Sent, *, rulebook: Rulebook) -> dict[str, str]:
    answers, facts = sent.answers, {}
    for name, key in (("spare_room", "spare_room"), ("smoking", "smoking"), ("life_changes", "recent_change")):
        label = label_of(rulebook.criteria, name, answers.get(name))
        if label:
            facts[key] = label
    heard = HEARD_WORDS.get(answers.get("heard") or "")
    detail = answers.get("heard_detail")
    if heard or detail:
        facts["heard_from"] = ": ".join(part for part in (heard, detail) if part)
    said = [campaigns.say_arrival(arrival) for arrival in sent.arrivals]
    if any(said):
        facts["came_by"] = "; then ".join(part for part in said if part)
    return facts
