"""Who lives and works in the fictional service: names, homes and words. Nobody here exists.

Districts are real places of south-east London and Kent; inward parts hold letters that no real postcode has. Phone
numbers are Ofcom's drama numbers, and every address is at example.org.
"""

from __future__ import annotations

from collections.abc import Mapping

from crm.rules.permissions import Role
from crm.visits.day_models import NoteKind

PASSWORD = "kestrel over the downs"
"""Of every fictional member of staff. Only a demo on this machine's own address ever has it."""

STAFF: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("recruiter", "Nadia Rahman", (Role.RECRUITER,)),
    ("officer", "Marcus Bello", (Role.OFFICER,)),
    ("manager", "Denise Marlowe", (Role.MANAGER,)),
    ("panel", "Gwen Pritchard", (Role.PANEL_ADMINISTRATOR,)),
    ("member", "Hannah Sutcliffe", (Role.PANEL_MEMBER,)),
    ("decision", "Oluwaseun Bright", (Role.DECISION_MAKER,)),
    ("admin", "Piers Langford", (Role.ADMINISTRATOR,)),
)
"""The seven whose sign-ins are printed: the part before @demo.example.org, the name, the roles."""

COLLEAGUES: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("tomasz", "Tomasz Wilk", (Role.RECRUITER,)),
    ("imani", "Imani Achebe", (Role.OFFICER,)),
    ("rhys", "Rhys Powell", (Role.OFFICER,)),
    ("shanthi", "Shanthi Perera", (Role.OFFICER,)),
    ("corinne", "Corinne Dufresne", (Role.MANAGER,)),
    ("ruth.adeyemi", "Ruth Adeyemi", (Role.PANEL_MEMBER,)),
    ("bernard.wyeth", "Bernard Wyeth", (Role.PANEL_MEMBER,)),
    ("parveen.dhillon", "Parveen Dhillon", (Role.PANEL_MEMBER,)),
    ("toby.larkham", "Toby Larkham", (Role.PANEL_MEMBER,)),
    ("anita.rowe", "Anita Rowe", (Role.PANEL_MEMBER,)),
)

MOBILES_OF_STAFF: Mapping[str, str] = {
    key: f"07700 9009{number}"
    for number, key in enumerate(
        ("recruiter", "officer", "manager", "tomasz", "imani", "rhys", "shanthi", "corinne"), 10
    )
}
"""Of those who visit homes, and of those who look out for them."""

CARS: Mapping[str, str] = {"officer": "KF26 DMO", "imani": "KF25 DMO"}

CENTRAL_LIST: tuple[tuple[str, str, bool, bool, str], ...] = (
    ("ruth.adeyemi", "chair", True, False, "Former head teacher"),
    ("anita.rowe", "vice_chair", True, False, "Foster carer for another service"),
    ("member", "member", False, True, "Social worker, eleven years in fostering"),
    ("bernard.wyeth", "member", True, False, "Grew up in care"),
    ("parveen.dhillon", "member", True, False, "Nurse for looked-after children"),
    ("toby.larkham", "member", True, False, "Youth worker"),
)
"""Sign-in name, seat, independent, qualifying social worker, background."""

ON_THE_SHEET = frozenset(
    "015 028 040 047 051 058 062 071 104 112 118 140 149 231 319 370 372 377 401 404 407 451 464 476 512 514 527 545 559 "
    "561 623 628 640 654 686 733 742 746 801 845 857 902 904 908 931 962 967 980 985 996".split()
)
"""Endings of the numbers on the sample sign-up sheet. Nobody here has one: the sheet brings strangers, as a stall does."""
MOBILES = tuple(f"07700 900{ending:03d}" for ending in range(1000) if f"{ending:03d}" not in ON_THE_SHEET)

GIVEN = (
    "Priya Sam Maya Daniel Ruth Carl Grace Tom Amara Joseph Leila Owen Hannah Marek Nia Yusuf Freya Piotr Chloe Ravi Zoë "
    "Ahmed Fatima Carol Delroy Kelly-Ann Noah Sade Orla Isla Ivan Ruby Olivia Ava Leah Ming Tariq Mia Amelia Mohammed "
    "Ngozi Stephen Lena Gareth Dawn Terry Femi Carys Hope Bethan Rukhsana Jacqueline Tanya Chukwuemeka Adaeze Siobhán "
    "Kwame Lucía Aoife Rhiannon Desmond Winston Beverley Maureen Colin Elspeth Anil Sunita Jerome Yvonne Lorraine Keith"
).split()
FAMILY = (
    "Osei O’Connell Grant Fitzgerald-Hughes Nguyễn Broadbent Baker Siddiqui Whitlock Adeyemi Hughes Chowdhury Mensah Ellis "
    "Brooks Okafor Patel Reid Rahman Begum Clarke Novak Price Kowalski Tembo Lawson Walsh Bennett Achebe Kowalczyk Pugh "
    "Braithwaite Adebayo-Lloyd Bamidele-Carrington Howells Malik Mountford Harcourt Okonjo-Featherstone Sinclair Frost "
    "Nair Thompson Marsh Delacroix Quigley Abernathy Stanhope Oyelaran-Briggs Fairweather Pemberton Ashdown"
).split()
CHILDREN = "Arlo Kezia Ivy Theo Zara Elijah Poppy Jayden Alfie Aisha Finn Maisie Kofi Ella Reuben Nell".split()

HOMES: tuple[tuple[str, str, str], ...] = (
    ("BR1", "Bromley", "Bromley"), ("BR2", "Hayes", "Bromley"), ("BR3", "Beckenham", "Bromley"),
    ("BR5", "Orpington", "Bromley"), ("BR6", "Orpington", "Bromley"), ("SE6", "Catford", "Lewisham"),
    ("SE9", "Eltham", "Greenwich"), ("SE12", "Lee", "Lewisham"), ("SE18", "Woolwich", "Greenwich"),
    ("SE26", "Sydenham", "Lewisham"), ("SE28", "Thamesmead", "Bexley"), ("DA1", "Dartford", "Kent"),
    ("DA5", "Bexley", "Bexley"), ("DA14", "Sidcup", "Bexley"), ("CR0", "Croydon", "Croydon"),
    ("CR2", "South Croydon", "Croydon"), ("ME7", "Gillingham", "Medway"), ("TN13", "Sevenoaks", "Kent"),
    ("TN16", "Westerham", "Kent"), ("SM1", "Sutton", "Sutton"),
)  # fmt: skip
"""Postcode district, town, council."""

AREAS: tuple[tuple[str, str, str], ...] = (
    ("Bromley and Lewisham", "BR1 BR2 BR3 BR4 BR5 BR6 BR7 BR8 SE4 SE6 SE12 SE13 SE14 SE23 SE26", "recruiter tomasz"),
    (
        "Bexley and Greenwich",
        "DA1 DA5 DA6 DA7 DA8 DA14 DA15 DA16 DA17 DA18 SE2 SE3 SE7 SE8 SE9 SE10 SE18 SE28",
        "recruiter",
    ),
    ("Croydon and Sutton", "CR0 CR2 CR3 CR4 CR5 CR6 CR7 CR8 SM1 SM2 SM3 SM5 SM6", "tomasz"),
    (
        "Medway and Kent",
        "ME1 ME2 ME3 ME4 ME5 ME7 ME8 TN1 TN2 TN4 TN9 TN10 TN13 TN14 TN15 TN16 DA2 DA3 DA4 DA9 DA11 DA12",
        "tomasz",
    ),
)
"""The service's patch: name, postcode districts, who take its enquiries in turn."""

STREETS = (
    "Rowan Close", "Tannery Court", "Mill Lane", "Orchard Road", "Alder Way", "Station Approach", "Elm Grove", "Priory Street",
    "Hopfield Drive", "Kiln Row", "Meadow View", "Church Hill", "Oast Walk", "Downs Road", "Lantern Mews",
)  # fmt: skip
INWARD = ("0KV", "1KO", "2IM", "3CO", "4KV", "5MO", "6OV", "7IK", "8VC", "9KO")

EVENTS: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("information_evening", "Information evening", "Kestrel House", "Bromley", "BR1 3KO",
     "An hour about what fostering is really like, and an hour for your questions."),
    ("stall", "Stall at The Glades", "The Glades", "Bromley", "BR1 1KO", "Stop and say hello. No forms, no speeches."),
    ("online_session", "Online question hour", "", "", "", "Ask anything, from your own sofa. Camera on or off."),
    ("drop_in", "Coffee morning", "Sidcup Library", "Sidcup", "DA14 4KO",
     "Meet two foster carers. Ask what it is really like. The coffee is on us."),
    ("stall", "Dartford market stall", "Market Street", "Dartford", "DA1 1KO", "Stop and say hello."),
    ("information_evening", "Meet a foster carer", "Beckenham Library", "Beckenham", "BR3 4KO",
     "June and Tony have fostered for eleven years. Hear how it began."),
)  # fmt: skip
"""Kind, name, place, town, postcode, and what people read first."""

GUESTS: tuple[tuple[str, str | None, str | None, str | None], ...] = (
    ("Abena", "Kofi", None, "Can we foster if we rent?"),
    ("Bronwen", None, "A step-free way in", None),
    ("Cormac", None, None, "How long does it take?"),
    ("Dalia", "Idris", None, "We have a dog. Is that all right?"),
    ("Esme", None, None, None),
    ("Farhan", None, "Somebody who speaks Urdu, if you can", "What do carers get paid?"),
    ("Gwilym", "Hettie", None, None),
    ("Ines", None, None, "Could I keep my job?"),
)
"""Who signed up to the next events: the other adult, what would help, what they would like to know."""

TIMES = (
    "after 5pm",
    "mornings",
    "lunchtime",
    "any time",
    "evenings after 6",
    "not Wednesdays",
    "after the school run",
    "",
)
SAID = (
    "We have talked about it for years and our eldest has just left home.",
    "A colleague fosters with you and says it changed her life.",
    "Saw your leaflet at the surgery. Could I foster and keep my job?",
    "We rent. Does that matter?",
    "I grew up with foster brothers and would like to do the same.",
    "My mum fostered. I would like to know more about babies and toddlers.",
    "Could you tell me about respite? I work weekdays.",
    "",
)
TALKED = (
    "Warm call. Both keen; wants to hear about the training. Information pack sent.",
    "Asked about working full time and the allowance. Happy to be visited.",
    "Long talk about their own children. Would like brothers and sisters, school age.",
    "A little nervous. Went through what a first visit is and is not.",
    "Has the room now. Landlord to be asked. Partner joins the visit.",
)
WORDS_OF_REPORT = (
    "A settled, friendly home. They answered openly and asked good questions.",
    "Both were there and agreed with one another on most things, and said so when they did not.",
    "Family near by would help; a neighbour has offered too.",
    "Thoughtful about why children come into care, and realistic about hard days.",
)

NOTES_OF_HOMES: tuple[Mapping[NoteKind, str], ...] = (
    {
        NoteKind.ACCESS: "Green side door. The bell does not work, so knock.",
        NoteKind.DOG: "Biscuit, friendly. They shut him in the kitchen.",
    },
    {},
    {NoteKind.PARKING: "Permit zone until 6.30pm. Park by the church, five minutes on foot."},
    {NoteKind.ACCESS: "Third floor, no lift. Ring flat 9.", NoteKind.PARKING: "Bays behind the shops, two hours free."},
    {},
    {
        NoteKind.RISK: "A neighbour shouted at a visitor in the car park. Park on the road, not behind the flats.",
        NoteKind.DOG: "Two cats, one of them bold.",
    },
)
"""What to know before going to a home; at some there is nothing."""
