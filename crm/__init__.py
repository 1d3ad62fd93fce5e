"""Doorstep: from a first hello at a recruitment stall to an approved foster carer."""
