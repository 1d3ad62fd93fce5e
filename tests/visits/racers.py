"""Many people at once, in processes of their own: each waits at one barrier, then books, moves or calls off."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from multiprocessing.synchronize import Barrier
from typing import Any

from tests.quick_processes import quick_processes

PROCESSES = 4
CLIENTS = 64
PATIENCE_S = 120

Job = dict[str, Any]
Result = dict[str, Any]


class Racers:
    """``run(jobs)`` releases all jobs together and gives back what became of each."""

    def __init__(self, environ: dict[str, str]) -> None:
        context = quick_processes()
        self.barrier: Barrier = context.Barrier(CLIENTS)
        self.results: Any = context.Queue()
        self.inboxes: list[Any] = [context.Queue() for _ in range(PROCESSES)]
        self.processes = [
            context.Process(target=_work, args=(environ, inbox, self.results, self.barrier), daemon=True)
            for inbox in self.inboxes
        ]
        for process in self.processes:
            process.start()
        for _ in self.processes:
            self.results.get(timeout=PATIENCE_S)  # each says once that it is ready

    def run(self, jobs: list[Job]) -> list[Result]:
        if len(jobs) != CLIENTS:
            raise ValueError(f"{len(jobs)} jobs for {CLIENTS} clients")
        for number, inbox in enumerate(self.inboxes):
            inbox.put(jobs[number::PROCESSES])
        return [self.results.get(timeout=PATIENCE_S) for _ in jobs]

    def stop(self) -> None:
        for inbox in self.inboxes:
            inbox.put(None)
        for process in self.processes:
            process.join(timeout=10)
            if process.is_alive():
                process.kill()


@contextmanager
def racing(environ: dict[str, str]) -> Iterator[Racers]:
    racers = Racers(environ)
    try:
        yield racers
    finally:
        racers.stop()


def _work(environ: dict[str, str], inbox: Any, results: Any, barrier: Barrier) -> None:
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
        threads = [threading.Thread(target=_client, args=(app, job, results, barrier)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _client(app: Any, job: Job, results: Any, barrier: Barrier) -> None:
    from crm.db import db
    from crm.rules.refusal import Refusal
    from crm.visits.booking import SlotTaken

    with app.app_context():
        barrier.wait(timeout=PATIENCE_S)
        try:
            results.put({"what": "done", "op": job["op"], "visit_id": _act(job)})
        except SlotTaken as taken:
            results.put({"what": "taken", "op": job["op"], "alternatives": taken.alternatives, "words": taken.message})
        except Refusal as refusal:
            results.put({"what": "refused", "op": job["op"], "words": refusal.message})
        except Exception as fault:  # whatever a person would have seen as a fault of ours
            results.put({"what": "fault", "op": job["op"], "words": repr(fault)[:500]})
        finally:
            db.session.remove()


def _act(job: Job) -> int:
    """One transaction, as the edge opens it."""
    from crm import policy
    from crm.access.queries import user_with
    from crm.cases.models import Case
    from crm.db import db, transaction
    from crm.visits import booking
    from crm.visits.models import Place, Purpose, Visit

    now, today = datetime.fromisoformat(job["now"]), date.fromisoformat(job["today"])
    with transaction():
        given = {
            "actor": user_with(job["by"]).as_actor(),
            "now": now,
            "today": today,
            "rulebook": policy.rulebook_on(today),
        }
        if job["op"] == "book":
            visit = booking.book_visit(
                db.session.get(Case, job["case_id"]),
                purpose=Purpose.FIRST_VISIT,
                place=Place.HOME,
                starts_at=datetime.fromisoformat(job["starts_at"]),
                length_minutes=job["length"],
                officer_ids=job["officers"],
                **given,
            )
        else:
            visit = db.session.get(Visit, job["visit_id"])
            case = db.session.get(Case, visit.case_id)
            if job["op"] == "move":
                booking.move_visit(
                    visit,
                    case,
                    starts_at=datetime.fromisoformat(job["starts_at"]),
                    length_minutes=job["length"],
                    officer_ids=job["officers"],
                    **given,
                )
            else:
                booking.cancel_visit(visit, case, reason="They are away", **given)
        return int(visit.id)
