"""A public form that was sent becomes a case, once. Sent again with other answers, it is a new version of the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from crm import policy
from crm.audit import record
from crm.cases import keys
from crm.cases.consents import consents_in_force, record_consent
from crm.cases.facts import state_fact
from crm.cases.models import Case, Channel, Person, PersonRole
from crm.cases.open_case import (
    NewConsent,
    NewPerson,
    NewTouch,
    add_person,
    household_name_of,
    join_case,
    open_case,
    set_contact_points,
    set_name,
)
from crm.cases.owners import owner_for
from crm.cases.queries import case_by_id
from crm.clock import london_date
from crm.db import db
from crm.enquiries import drafts
from crm.enquiries.models import EnquiryDraft
from crm.enquiries.questions import SAFE_WORDS, TIMES_WORDS, first_gap, label_of
from crm.rules.eligibility import age_on
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

SOURCE = "Web form"
NEWS_CHANNELS = ("email", "text", "phone", "post")


class NotReadyToSend(Refusal):
    """Something without which nobody can ring back is missing."""

    default_status = 422


def send_draft(draft: EnquiryDraft, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> Case:
    """Make the draft an enquiry, or bring the enquiry it already is up to date.

    The same answers again are the same enquiry. Changed answers are kept as another touch of it, which staff see, and
    the clock of the first one goes on. Raises NotReadyToSend.
    """
    answers = drafts.answers_of(draft)
    if first_gap(answers) is not None:
        raise NotReadyToSend("We need your name, and a phone number or an email, to get back to you.")
    if draft.case_id is not None:
        case = case_by_id(draft.case_id)
        if drafts.answers_digest(draft) == draft.sent_digest:
            return case
        _amend(case, draft, answers, actor=actor, now=now, today=today, rulebook=rulebook)
    else:
        case = _open(draft, answers, actor=actor, now=now, today=today, rulebook=rulebook)
    drafts.note_sent(draft, case_id=case.id, now=now)
    return case


def _open(
    draft: EnquiryDraft,
    answers: Mapping[str, Any],
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> Case:
    postcode = answers.get("postcode") or None
    return open_case(
        people=_people(answers, rulebook=rulebook, today=today),
        touch=_touch(draft, answers, now=now),
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        owner_id=owner_for(postcode),
        postcode=postcode,
        facts=_household_facts(answers, rulebook=rulebook, today=today),
    )


def _amend(
    case: Case,
    draft: EnquiryDraft,
    answers: Mapping[str, Any],
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> None:
    """Bring a case that came from this draft up to date with what was changed in it."""
    stated_on = london_date(now)
    for new in _people(answers, rulebook=rulebook, today=today):
        person = next((one for one in case.household.people if one.role == new.role), None)
        if person is None:
            add_person(case, new, source=SOURCE, stated_on=stated_on, actor=actor, now=now)
        else:
            _bring_up_to_date(case, person, new, stated_on=stated_on, actor=actor, now=now)
    case.household.postcode = keys.tidy_postcode(answers.get("postcode"))
    case.household.postcode_key = keys.postcode_key(answers.get("postcode"))
    case.household.name = household_name_of(case.household)
    for key, value in _household_facts(answers, rulebook=rulebook, today=today).items():
        state_fact(case, key=key, value=value, source=SOURCE, stated_on=stated_on, actor=actor, now=now)
    touch = _touch(draft, answers, now=now, source=f"{SOURCE}, answers changed")
    join_case(case, touch, actor=actor, now=now, today=today, rulebook=rulebook)
    record("enquiry.amended", actor=actor, at=now, case_id=case.id, subject=f"case:{case.reference}")


def _bring_up_to_date(
    case: Case, person: Person, new: NewPerson, *, stated_on: date, actor: Actor, now: datetime
) -> None:
    set_name(person, new.given_name, new.family_name)
    set_contact_points(person, email=new.email, phone=new.phone)
    person.born_on, person.contact_times = new.born_on, new.contact_times
    person.no_calls, person.no_voicemail = new.no_calls, new.no_voicemail
    person.safe_contact, person.prefers = new.safe_contact, new.prefers
    held = consents_in_force([person.id]).get(person.id, {})
    for consent in new.consents:
        if consent.channel not in held or held[consent.channel].given != consent.given:
            record_consent(
                person,
                channel=consent.channel,
                given=consent.given,
                wording_version=consent.wording_version,
                source=SOURCE,
                actor=actor,
                now=now,
                case_id=case.id,
            )
    for key, value in new.facts.items():
        state_fact(
            case, key=key, value=value, source=SOURCE, stated_on=stated_on, actor=actor, now=now, person_id=person.id
        )
    db.session.flush()


def _touch(draft: EnquiryDraft, answers: Mapping[str, Any], *, now: datetime, source: str = SOURCE) -> NewTouch:
    said = []
    if answers.get("second") == "dont_know":
        said.append("Not sure yet whether another adult would foster with them.")
    if answers.get("ring_on"):
        ring_on = date.fromisoformat(answers["ring_on"])
        said.append(f"Would like us to ring on {ring_on.day} {ring_on:%B %Y}, when it suits them better.")
    return NewTouch(
        channel=Channel.WEB,
        received_at=now,
        source=source,
        said=" ".join(said) or None,
        one_time_id=f"web:{draft.token_hash[:48]}:{(draft.sent_count or 0) + 1}",
    )


def _people(answers: Mapping[str, Any], *, rulebook: Rulebook, today: date) -> list[NewPerson]:
    born_on = date.fromisoformat(answers["born_on"]) if answers.get("born_on") else None
    facts = {}
    if born_on is not None:
        age = age_on(born_on, today)
        facts["age_over_21"] = "Yes" if age >= 21 else f"No: {age} now"
    right = label_of(rulebook.criteria, "right_to_live", answers.get("right_to_live"))
    if right:
        facts["right_to_work"] = right
    facts["privacy_notice"] = f"Version {policy.wording('privacy_notice', today).version}"
    safe, safe_note = answers.get("safe") or "yes", answers.get("safe_note") or ""
    warning = ". ".join(part for part in (SAFE_WORDS[safe] if safe != "yes" else "", safe_note) if part)
    people = [
        NewPerson(
            given_name=answers["given_name"],
            family_name=answers.get("family_name") or None,
            email=answers.get("email") or None,
            phone=answers.get("phone") or None,
            born_on=born_on,
            prefers="text" if safe == "text_first" else None if answers.get("phone") else "email",
            contact_times=TIMES_WORDS.get(answers.get("contact_times") or ""),
            no_calls=safe == "text_first",
            no_voicemail=safe != "yes",
            safe_contact=warning or None,
            consents=_consents(answers, today=today),
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
            )
        )
    return people


def _consents(answers: Mapping[str, Any], *, today: date) -> tuple[NewConsent, ...]:
    """What they said to news, on each channel they were asked about: a box left empty is kept as not given."""
    if "news" not in answers:
        return ()
    chosen = set(answers["news"])
    return tuple(
        NewConsent(channel, channel in chosen, policy.wording(f"consent.{channel}", today).version)
        for channel in NEWS_CHANNELS
        if channel in chosen or _was_asked(channel, answers)
    )


def _was_asked(channel: str, answers: Mapping[str, Any]) -> bool:
    return channel in news_channels(answers)


def news_channels(answers: Mapping[str, Any]) -> tuple[str, ...]:
    """The channels on which news could reach them: one is not asked about a number that was not given."""
    channels = []
    if answers.get("email"):
        channels.append("email")
    if answers.get("phone"):
        channels.append("text")
        if answers.get("safe") != "text_first":
            channels.append("phone")
    return tuple(channels)


def _household_facts(answers: Mapping[str, Any], *, rulebook: Rulebook, today: date) -> dict[str, str]:
    facts = {}
    for name, key in (("spare_room", "spare_room"), ("smoking", "smoking"), ("life_changes", "recent_change")):
        label = label_of(rulebook.criteria, name, answers.get(name))
        if label:
            facts[key] = label
    return facts
