"""Many people at once, in processes of their own: each waits at one barrier, then does what its job says."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import Any

from crm.settings import Settings
from tests.quick_processes import quick_processes

PROCESSES = 4
CLIENTS = 64
PATIENCE_S = 120

Environ = dict[str, str]
Job = dict[str, Any]
Result = dict[str, Any]
Act = Callable[[Job], Result]
"""Does one job inside the application, in transactions of its own, and says what became of it."""


class Racers:
    """``run(jobs)`` releases all jobs together and gives back what became of each: what ``act`` said, with its job's
    ``op``; ``refused`` where it raised a refusal, ``fault`` for whatever else."""

    def __init__(self, environ: Environ, act: Act, clients: int = CLIENTS) -> None:
        context = quick_processes()
        self.clients = clients
        self.barrier: Barrier = context.Barrier(clients)
        self.results: Any = context.Queue()
        self.inboxes: list[Any] = [context.Queue() for _ in range(min(PROCESSES, clients))]
        self.processes = [
            context.Process(target=_work, args=(environ, act, inbox, self.results, self.barrier), daemon=True)
            for inbox in self.inboxes
        ]
        for process in self.processes:
            process.start()
        self._wait_for_all()

    def run(self, jobs: list[Job]) -> list[Result]:
        if len(jobs) != self.clients:
            raise ValueError(f"{len(jobs)} jobs for {self.clients} clients")
        for number, inbox in enumerate(self.inboxes):
            inbox.put(jobs[number :: len(self.inboxes)])
        return [self.results.get(timeout=PATIENCE_S) for _ in jobs]

    def stand_by(self) -> None:
        """Let go of the database, and be ready for another of its kind."""
        for inbox in self.inboxes:
            inbox.put(None)
        self._wait_for_all()

    def lead_to(self, environ: Environ) -> None:
        for inbox in self.inboxes:
            inbox.put(environ)
        self._wait_for_all()

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.join(timeout=10)

    def _wait_for_all(self) -> None:
        for _ in self.processes:
            self.results.get(timeout=PATIENCE_S)  # each says once that it is ready


_idle: dict[tuple[str, Act, int], Racers] = {}
"""Racers of the last test, for each kind of database: every statement they know, a new process would compile anew."""


@contextmanager
def racing(environ: Environ, act: Act, clients: int = CLIENTS) -> Iterator[Racers]:
    kept = environ["DATABASE_URL"].partition(":")[0], act, clients
    for other in [one for one in _idle if one[1:] != kept[1:]]:
        _idle.pop(other).stop()
    racers = _idle.pop(kept, None)
    if racers is None:
        racers = Racers(environ, act, clients)
    else:
        racers.lead_to(environ)
    try:
        yield racers
        racers.stand_by()
    except BaseException:
        racers.stop()
        raise
    _idle[kept] = racers


def _work(environ: Environ, act: Act, inbox: Any, results: Any, barrier: Barrier) -> None:
    from crm import db as database
    from crm.app import create_app
    from tests.standing import Standing

    # Nobody waits for another's connection, or opens one anew in each round.
    options = database.engine_options
    database.engine_options = lambda settings: {**options(settings), "pool_size": CLIENTS // PROCESSES}
    standing = Standing(create_app, _settings(environ))
    standing.lead_to(_settings(environ))
    results.put("ready")
    parent = os.getppid()
    while os.getppid() == parent:
        try:
            jobs = inbox.get(timeout=PATIENCE_S)
        except queue.Empty:
            continue
        if jobs is None:
            standing.put_away()
            results.put("ready")
        elif isinstance(jobs, dict):
            standing.lead_to(_settings(jobs))
            results.put("ready")
        else:
            threads = [
                threading.Thread(target=_client, args=(standing.app, act, job, results, barrier)) for job in jobs
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


def _settings(environ: Environ) -> Settings:
    # Who wins is what is tested, not how fast this machine is while other tests run on it: nobody is sent away for
    # having waited long.
    return Settings.from_environ({**environ, "CRM_LOCK_WAIT_MS": str(PATIENCE_S * 1000)})


def _client(app: Any, act: Act, job: Job, results: Any, barrier: Barrier) -> None:
    from crm.db import db
    from crm.rules.refusal import Refusal

    with app.app_context():
        barrier.wait(timeout=PATIENCE_S)
        try:
            came_of_it = act(job)
        except Refusal as refusal:
            came_of_it = {"what": "refused", "words": refusal.message}
        except Exception as fault:  # whatever a person would have seen as a fault of ours
            came_of_it = {"what": "fault", "words": repr(fault)[:500]}
        finally:
            db.session.remove()
        results.put({"op": job["op"], **came_of_it})
