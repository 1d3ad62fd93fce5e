"""Terms of approval: proposed by the assessor, recommended by the panel, set by the decision maker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crm.assessments.models import KIND_OF_CARE_WORDS, KindOfCare
from crm.rules.refusal import Refusal


class TermsNotPossible(Refusal):
    """Terms that contradict themselves."""

    default_status = 422


@dataclass(frozen=True)
class Terms:
    """How many children at once, of what ages, for what kind of care; and anything else. All empty: no terms."""

    children: int | None = None
    youngest: int | None = None
    oldest: int | None = None
    care: str | None = None
    other: str | None = None

    @property
    def is_empty(self) -> bool:
        return not any((self.children, self.youngest is not None, self.oldest is not None, self.care, self.other))

    @property
    def words(self) -> str | None:
        """As the household reads them: "up to 2 children at once, aged 5 to 17, short and long term"."""
        parts = []
        if self.children is not None:
            parts.append("1 child" if self.children == 1 else f"up to {self.children} children at once")
        if self.youngest is not None and self.oldest is not None:
            parts.append(f"aged {self.youngest} to {self.oldest}")
        elif self.youngest is not None:
            parts.append(f"aged {self.youngest} or over")
        elif self.oldest is not None:
            parts.append(f"aged {self.oldest} or under")
        if self.care is not None:
            parts.append(KIND_OF_CARE_WORDS[KindOfCare(self.care)].lower())
        text = ", ".join(parts)
        if self.other:
            text = f"{text}. {self.other}" if text else self.other
        return text or None


def put_terms(row: Any, terms: Terms) -> None:
    """Write terms on a report, a recommendation or a decision. Raises TermsNotPossible."""
    if terms.children is not None and not 1 <= terms.children <= 10:
        raise TermsNotPossible("Write how many children at once as a number from 1 to 10.", field="terms_children")
    for field, age in (("terms_youngest", terms.youngest), ("terms_oldest", terms.oldest)):
        if age is not None and not 0 <= age <= 17:
            raise TermsNotPossible("Write the age as a number from 0 to 17.", field=field)
    if terms.youngest is not None and terms.oldest is not None and terms.youngest > terms.oldest:
        raise TermsNotPossible("The oldest age can’t be lower than the youngest.", field="terms_oldest")
    if terms.care is not None and terms.care not in set(KindOfCare):
        raise TermsNotPossible("Choose one of the kinds of care.", field="terms_care")
    row.terms_children = terms.children
    row.terms_youngest = terms.youngest
    row.terms_oldest = terms.oldest
    row.terms_care = terms.care
    row.other_terms = terms.other or None


def terms_of(row: Any) -> Terms:
    """The terms written on a report, a recommendation or a decision."""
    return Terms(row.terms_children, row.terms_youngest, row.terms_oldest, row.terms_care, row.other_terms)
