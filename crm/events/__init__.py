"""Recruitment events: planning one, logging people at the stall, and the sign-up sheet that comes back from it."""
