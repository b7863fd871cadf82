"""Templates: text with placeholders in braces. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter

__all__ = ["names_in", "pieces_of"]


def pieces_of(template: str) -> Iterator[tuple[str, str | None]]:
    """What stands before each placeholder in *template*, and its name; what stands at the end has None behind it.

    Raises:
        ValueError: It is no template.
    """
    try:
        found = [*Formatter().parse(template)]
    except ValueError:
        raise ValueError("a brace that is meant as such is written twice") from None
    for literal, name, spec, conversion in found:
        if name == "" or spec or conversion:
            raise ValueError(f"{{{name}}} is no placeholder; a brace that is meant as such is written twice")
        yield literal, name


def names_in(template: str) -> Iterator[str]:
    """The placeholders in *template*; raises `ValueError` where it is none."""
    return (name for _, name in pieces_of(template) if name is not None)
