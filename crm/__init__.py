"""Doorstep: from a first conversation at a stall to an approved foster home."""
