"""Whatever is merged, moved and taken apart, in whatever order it may be: what is left is what there was.

By day a few sequences on each database, at night many. Who they are is drawn from few names, numbers and addresses, so
that letters have twins, clocks compete and people meet again.
"""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crm import policy
from crm.cases.facts import state_fact
from crm.cases.merge import CannotMerge, CannotMove, merge_households, merge_people, move_person
from crm.cases.merge_choices import MergeChoices
from crm.cases.models import Case, Channel, HouseholdMerge, PersonRole
from crm.cases.open_case import NewConsent, NewPerson, NewTouch, open_case
from crm.cases.pairing import pair_people
from crm.cases.unmerge import CannotUndo, undo_merge
from crm.clock import london_date
from crm.db import db
from crm.reconcile import find_faults
from tests.case_factory import reach
from tests.cases.whole_database import everything

LONDON = ZoneInfo("Europe/London")
EXAMPLES = 300 if os.environ.get("CRM_TEST_TIER") == "night" else 4

people = st.builds(
    NewPerson,
    given_name=st.sampled_from(["Priya", "Tom", "Zoë"]),
    family_name=st.sampled_from(["Osei", "Hale", None]),
    phone=st.sampled_from(["07700 900118", "07700 900222"]),
    email=st.sampled_from(["home@example.org", "own@example.org", None]),
    born_on=st.sampled_from([date(1990, 3, 1), None]),
    no_calls=st.booleans(),
    no_voicemail=st.booleans(),
    safe_contact=st.sampled_from(["Only in the evening", None]),
    consents=st.lists(
        st.builds(NewConsent, channel=st.sampled_from(["email", "phone"]), given=st.booleans(),
                  wording_version=st.just("v1")),
        max_size=2, unique_by=lambda consent: consent.channel,
    ).map(tuple),
)  # fmt: skip
households = st.builds(
    dict,
    people=st.lists(people, min_size=1, max_size=2),
    day=st.integers(0, 20),
    stage=st.sampled_from(["new", "new", "contacted", "not_now", "closed"]),
    pets=st.sampled_from(["A cat", "None", None]),
    owner=st.sampled_from(["recruiter", "manager", "officer"]),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["merge", "merge", "people", "move", "undo"]),
        st.integers(0, 9),
        st.integers(0, 9),
        st.sampled_from(["kept", "gone", "both"]),
    ),
    min_size=4,
    max_size=8,
)


def test_any_sequence_of_merges_and_their_undoing_leaves_what_there_was(app, session, cast, database, freeze):
    freeze("2026-07-14 14:00")
    contents = database.contents()

    @settings(max_examples=EXAMPLES, database=None, phases=[Phase.generate, Phase.shrink])
    @given(homes=st.lists(households, min_size=3, max_size=4), todo=steps)
    def play(homes, todo):
        db.session.remove()
        db.engine.dispose()
        database.become(contents)
        for home in homes:
            settle_in(home, cast)
        db.session.commit()
        before = everything()
        for what, first, second, side in todo:
            try:
                take_step(what, first, second, side, cast)
                db.session.commit()
            except (CannotMerge, CannotMove, CannotUndo):
                db.session.rollback()
            assert find_faults(today=date(2026, 7, 14)) == []
        undo_all(cast)
        assert everything() == before

    play()


def by(cast):
    now = datetime(2026, 7, 14, 14, tzinfo=LONDON)
    today = london_date(now)
    return {"actor": cast.manager.actor, "now": now, "today": today, "rulebook": policy.rulebook_on(today)}


def settle_in(home, cast):
    """A household as it comes, brought to its stage by the moves."""
    at = datetime(2026, 6, 1, 10, tzinfo=LONDON) + timedelta(days=home["day"])
    who = [
        NewPerson(**{**vars(person), "role": PersonRole.APPLICANT_2 if n else PersonRole.APPLICANT_1})
        for n, person in enumerate(home["people"])
    ]
    case = open_case(
        people=who,
        touch=NewTouch(channel=Channel.PHONE, received_at=at, source="Phone call", said="Hello"),
        actor=cast.recruiter.actor,
        now=at,
        today=at.date(),
        rulebook=policy.rulebook_on(at.date()),
        owner_id=getattr(cast, home["owner"]).id,
        postcode="BR1 3KO",
    )
    if home["pets"]:
        state_fact(case, key="pets", value=home["pets"], source="Phone", stated_on=at.date(),
                   actor=cast.recruiter.actor, now=at, person_id=case.household.people[0].id)  # fmt: skip
    if home["stage"] != "new":
        reach(case, home["stage"], cast, now=at + timedelta(hours=1))


def take_step(what, first, second, side, cast):
    cases = db.session.query(Case).order_by(Case.id).all()
    one, other = cases[first % len(cases)], cases[second % len(cases)]
    if what == "merge":
        pairs = pair_people(one.household.people, other.household.people) if one is not other else {}
        fields = {
            f"{person.id}.{name}": side for person in other.household.people for name in ("name", "phone", "email")
        }
        choices = MergeChoices(pairs=pairs, fields={**fields, "owner": side})
        try:
            merge_households(one, other, choices=choices, **by(cast))
        except CannotMerge as no:
            if "who is who" not in str(no):
                raise
            db.session.rollback()
            pairs = {ours: theirs for theirs, ours in pairs.items()}
            one, other = (db.session.get_one(Case, case.id) for case in (one, other))
            merge_households(one, other, choices=MergeChoices(pairs=pairs, fields={"owner": side}), **by(cast))
    elif what == "people":
        at_home = one.household.people
        kept, gone = at_home[0], at_home[second % len(at_home)]
        merge_people(one, kept, gone, choices=MergeChoices(fields={f"{gone.id}.phone": side}), **by(cast))
    elif what == "move":
        person = one.household.people[second % len(one.household.people)]
        move_person(one, person, to=other, **by(cast))
    else:
        made = standing()
        if made:
            undo_merge(made[first % len(made)], **by(cast))


def standing():
    return db.session.query(HouseholdMerge).filter_by(state="made").order_by(HouseholdMerge.id).all()


def undo_all(cast):
    """Take all apart, the last made first."""
    while made := standing():
        undo_merge(made[-1], **by(cast))
        db.session.commit()
