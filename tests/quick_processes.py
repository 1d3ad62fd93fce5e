"""Processes that start in milliseconds: forked from one that has loaded the product and opened nothing."""

from __future__ import annotations

import functools
import multiprocessing
from multiprocessing.context import ForkServerContext

from crm.app import BLUEPRINTS

LOADED = ("psycopg", "crm.cli", "crm.wsgi", "crm.jobs.runner", "granian.cli")


@functools.cache
def quick_processes() -> ForkServerContext:
    """``quick_processes().Process(target=…)``. What it forks from is started once in each process of the run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LOADED, *(name.partition(":")[0] for name in BLUEPRINTS)])
    return context
