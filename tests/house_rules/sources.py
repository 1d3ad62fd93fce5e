"""The product's source as the house rules see it: modules, what they import, what they call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "crm"


@dataclass(frozen=True)
class Module:
    """One file. ``name`` is dotted: crm.cases.open_case."""

    name: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def package(self) -> str:
        """The first part below crm: cases, rules, cli."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else "crm"

    @property
    def file(self) -> str:
        """The last part: open_case, staff_views."""
        return self.name.rpartition(".")[2]

    @property
    def is_edge(self) -> bool:
        """Views and forms: where the outside world is turned into domain calls and back."""
        return self.file == "views" or self.file.endswith(("_views", "_forms")) or ".dav" in self.name

    @property
    def imports(self) -> list[tuple[int, str]]:
        """(line, dotted name) of everything imported, also inside functions and under TYPE_CHECKING."""
        found: list[tuple[int, str]] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    found.append((node.lineno, "." * node.level + (node.module or "")))
                elif node.module == "crm":
                    found += [(node.lineno, f"crm.{alias.name}") for alias in node.names]
                elif node.module:
                    found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
            elif isinstance(node, ast.Call) and called(node).endswith(("import_module", "__import__")):
                argument = node.args[0] if node.args else None
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    found.append((node.lineno, argument.value))
        return found

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))


def called(node: ast.Call) -> str:
    """The dotted name of what is called, as written: ``db.session.commit``."""
    return dotted(node.func)


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Call):
        return f"{dotted(node.func)}()"
    return "?"


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the product, migrations' versions apart: they are history, and never changed."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[:3] == ["crm", "migrations", "versions"]:
            continue
        if parts[-1] == "__init__":
            parts.pop()
        found.append(Module(".".join(parts), path.read_text(encoding="utf-8")))
    return tuple(found)


def planted(name: str, source: str) -> Module:
    """A bad example, to show that a rule catches it."""
    return Module(name, source)
