"""What the product does by itself: timed jobs, each by one worker at a time, and the sign that a worker is alive."""

from crm.jobs.models import JobRun, WorkerSeen
from crm.jobs.timed import Job, Timetable

__all__ = ["Job", "JobRun", "Timetable", "WorkerSeen"]
