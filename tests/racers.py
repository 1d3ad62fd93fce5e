"""Many people at once, in processes of their own: each waits at one barrier, then does what its job says."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import Any

from tests.quick_processes import quick_processes

PROCESSES = 4
CLIENTS = 64
PATIENCE_S = 120

Job = dict[str, Any]
Result = dict[str, Any]
Act = Callable[[Job], Result]
"""Does one job inside the application, in transactions of its own, and says what became of it."""


class Racers:
    """``run(jobs)`` releases all jobs together and gives back what became of each: what ``act`` said, with its job's
    ``op``; ``refused`` where it raised a refusal, ``fault`` for whatever else."""

    def __init__(self, environ: dict[str, str], act: Act, clients: int = CLIENTS) -> None:
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
        for _ in self.processes:
            self.results.get(timeout=PATIENCE_S)  # each says once that it is ready

    def run(self, jobs: list[Job]) -> list[Result]:
        if len(jobs) != self.clients:
            raise ValueError(f"{len(jobs)} jobs for {self.clients} clients")
        for number, inbox in enumerate(self.inboxes):
            inbox.put(jobs[number :: len(self.inboxes)])
        return [self.results.get(timeout=PATIENCE_S) for _ in jobs]

    def stop(self) -> None:
        for inbox in self.inboxes:
            inbox.put(None)
        for process in self.processes:
            process.join(timeout=10)
            if process.is_alive():
                process.kill()


@contextmanager
def racing(environ: dict[str, str], act: Act, clients: int = CLIENTS) -> Iterator[Racers]:
    racers = Racers(environ, act, clients)
    try:
        yield racers
    finally:
        racers.stop()


def _work(environ: dict[str, str], act: Act, inbox: Any, results: Any, barrier: Barrier) -> None:
    from crm.app import create_app
    from crm.settings import Settings

    # Who wins is what is tested, not how fast this machine is while other tests run on it: nobody is sent away for
    # having waited long.
    environ = {**environ, "CRM_LOCK_WAIT_MS": str(PATIENCE_S * 1000)}
    app = create_app(Settings.from_environ(environ))
    results.put("ready")
    while True:
        try:
            jobs = inbox.get(timeout=PATIENCE_S * 5)
        except queue.Empty:
            return
        if jobs is None:
            return
        threads = [threading.Thread(target=_client, args=(app, act, job, results, barrier)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


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
