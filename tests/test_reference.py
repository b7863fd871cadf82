"""The reference is made from docstrings, and shows no member that has none."""

from __future__ import annotations

import ast
import inspect
from enum import Enum
from importlib import import_module

import pytest

MODULES = ["model", "abc", "errors", "router", "content", "http", "config", "stores", "testing.adapter", "testing"]


def _enumerations() -> dict[str, type[Enum]]:
    found = {}
    for name in MODULES:
        module = import_module(f"convergekit.{name}")
        for each in module.__all__:
            kind = getattr(module, each)
            if isinstance(kind, type) and issubclass(kind, Enum):
                found[each] = kind
    return found


def _documented(kind: type[Enum]) -> set[str]:
    """Members with a string behind them, as Sphinx finds it."""
    (body,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    found = set()
    for statement, after in zip(body.body, body.body[1:], strict=False):
        text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if text and isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found.add(statement.targets[0].id)
    return found


@pytest.mark.parametrize("name", sorted(_enumerations()))
def test_each_member_of_an_enumeration_says_what_it_means(name: str) -> None:
    kind = _enumerations()[name]
    assert {member.name for member in kind} - _documented(kind) == set()
