"""What to ask somebody who rings: prompts, in the order of a first call.

After the screening calls of English services (domain.md 4.1). Nothing here has to be asked or answered to log a call.
"""

from __future__ import annotations

SCRIPT: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "First",
        (
            "Thank you for ringing. What made you think of fostering?",
            "What is the best number, and may we leave a message on it?",
            "When is a good time to ring back?",
        ),
    ),
    (
        "Home",
        (
            "Who lives with you, and how old are the children?",
            "Children or former partners elsewhere?",
            "Is there a bedroom to spare, now or later?",
            "Do you own or rent? Any pets?",
        ),
    ),
    (
        "You",
        (
            "Are you, and a partner, over 21, and settled in the UK?",
            "Work, and who would be at home?",
            "Do you drive? Does anybody smoke or vape at home?",
            "Any health needs we should know of?",
        ),
    ),
    (
        "Before we go on",
        (
            "Have you fostered, or applied, before? With whom?",
            "Is there anything the police, a court or social services would tell us?",
            "Ages of children you have in mind? Any experience of looking after them?",
            "How did you hear of us?",
        ),
    ),
)
"""Groups of prompts: a heading, and what to ask, as one would say it."""
