"""The files of a plugin project, out of the templates in `_template/`.

A template is a file as it will be, called `....tmpl`, with `$name` in place of names. A line `# {webhook poll}` says
that what follows is for these styles only, and a line `# {}` that it is for all again. In a path, `package` is the
package's name, and `dot-` in front is a dot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from string import Template
from typing import Final

__all__ = ["STYLES", "project"]

#: How messages come in.
STYLES: Final = ("webhook", "poll", "listen")
_MARK: Final = re.compile(r"# \{([a-z ]*)\}")


def project(style: str, names: Mapping[str, str]) -> Iterator[tuple[PurePosixPath, str]]:
    """Every file: its path inside the project, and its text."""
    root = files("convergekit.cli").joinpath("_template")
    for path, template in _walk(root, PurePosixPath()):
        parts = [names["package"] if part == "package" else re.sub("^dot-", ".", part) for part in path.parts]
        text = template.read_text(encoding="utf-8")
        yield PurePosixPath(*parts).with_suffix(""), Template(_of(style, text)).substitute(names)


def _walk(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.is_dir():
            yield from _walk(each, path / each.name)
        elif each.name.endswith(".tmpl"):
            yield path / each.name, each


def _of(style: str, text: str) -> str:
    kept, styles = "", ""
    for line in text.splitlines(keepends=True):
        if (mark := _MARK.fullmatch(line.strip())) is not None:
            styles = mark[1]
        elif not styles or style in styles.split():
            kept += line
    return kept
