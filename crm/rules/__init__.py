"""The law and the service's policy, as tables and small pure functions.

Nothing in this package reads a clock, opens a database or knows about the web. *Today* and the facts of a case are
arguments, so any rule can be asked about any day.
"""
