"""One household's journey: who they are, where each track of their case stands, and everything that happened."""
