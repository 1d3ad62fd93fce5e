"""Every row that names a case, a household or a person has a line that says what a merge does with it.

A table that merging forgot would keep pointing at a household that is gone, or stop the merge with a fault.
"""

from __future__ import annotations

import sqlalchemy as sa

from crm.cases.merge_rules import RULES, columns_that_refer, unique_columns
from crm.db import metadata
from tests.databases import import_models

SAY_SO = "say in crm/cases/merge_rules.py what a merge does with these: MOVES, TAKEN_OUT or STAYS"


def test_every_column_that_names_a_case_household_or_person_says_what_a_merge_does() -> None:
    import_models()

    refer = columns_that_refer()

    assert sorted(refer.keys() - RULES.keys()) == [], SAY_SO
    assert sorted(RULES.keys() - refer.keys()) == [], "these lines of crm/cases/merge_rules.py name no column"
    assert {name: rule.refers_to for name, rule in RULES.items()} == refer


def test_where_a_case_may_have_one_row_of_a_kind_the_rule_says_what_becomes_of_two() -> None:
    """A unique index over some rows only can't be seen to by moving a row and looking: its condition is in ``alone``,
    or the rows are settled one by one."""
    import_models()
    settled = {"deadline.case_id", "application.case_id", "panel_item.case_id"}  # clocks; only one may have applied

    unsaid = [
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for index in table.indexes
        if index.unique and index.dialect_options["sqlite"].get("where") is not None
        for column in index.columns
        if f"{table.name}.{column.name}" in RULES
    ]

    wrong = [name for name in unsaid if RULES[name].alone is None and name not in settled]
    assert [name for name in wrong if RULES[name].follows == "moves"] == []


def test_a_table_that_no_rule_knows_is_caught() -> None:
    planted = sa.Table(
        "planted_for_merges",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("whose", sa.ForeignKey("person.id")),
        sa.Column("case_id", sa.Integer),
        sa.UniqueConstraint("whose", "case_id"),
    )
    try:
        found = columns_that_refer()
    finally:
        metadata.remove(planted)

    assert found["planted_for_merges.whose"] == "person"
    assert found["planted_for_merges.case_id"] == "case_file"
    assert ("whose", "case_id") in unique_columns(planted)
