"""The endpoints that anyone may open. Short on purpose: a new one is added here by a person who means it."""

PUBLIC: set[str] = {
    "access.accept_invitation",
    "access.forgotten_password",
    "access.reset_password",
    "access.sign_in",
    "administration.brand_css",
    "enquire.accessibility",
    "enquire.carry_on",
    "enquire.check",
    "enquire.come_back",
    "enquire.done",
    "enquire.keep_typed",
    "enquire.later",
    "enquire.privacy",
    "enquire.short_link",
    "enquire.start",
    "enquire.step",
    "enquire.where_you_stand",
    "health.healthz",
    "intake.openapi",
    "kit.at_the_door",
    "kit.kiosk",
    "kit.manifest",
    "kit.worker",
    "meet.come_after_all",
    "meet.event",
    "meet.give_up",
    "meet.index",
    "meet.place",
    "meet.short",
    "meet.signed_up",
    "portal.confirm_email",
    "portal.stop",
}

# These check a secret of their own, which no cookie can stand for.
OWN_KEY: set[str] = {"calendars.feed", "intake.hand_in", "intake.wordings", "kit.names", "kit.take_entries"}
