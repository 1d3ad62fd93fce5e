"""Who did what, when: rows that are only ever added, and a keyed chain that shows when one was touched."""

from crm.audit.chain import seal_new_entries, verify
from crm.audit.models import AuditEntry, AuditSeal
from crm.audit.recording import record, record_look, use_key, values_of

__all__ = [
    "AuditEntry",
    "AuditSeal",
    "record",
    "record_look",
    "seal_new_entries",
    "use_key",
    "values_of",
    "verify",
]
