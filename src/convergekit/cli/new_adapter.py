"""`convergekit new-adapter`: a plugin project that is complete, and whose tests are green from the start."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

from convergekit._version import __version__
from convergekit.config import adapter_entries
from convergekit.config.discovery import OURS
from convergekit.errors import ConfigurationError

from ._console import Console
from ._project import project

__all__ = ["run"]

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST: Final = 30
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")  # RFC 3986 §3.1
#: Two people on a medium whose addresses have a form that we know; anywhere else they are called by their names.
_PEOPLE: Final = {
    "mailto": ("ann@example.org", "bob@example.org"),
    "xmpp": ("ann@example.org", "bob@example.org"),
    "sms": ("+4915112345678", "+4915112345679"),
    "tel": ("+4915112345678", "+4915112345679"),
    "x": ("12345", "67890"),
    "http": ("//ann.example", "//bob.example"),
    "https": ("//ann.example", "//bob.example"),
}


def run(args: argparse.Namespace, console: Console) -> int:
    """Write it; nothing is overwritten."""
    names = _names(args.name, args.scheme or args.name)
    folder = Path(args.path or names["distribution"])
    if folder.exists():
        raise ConfigurationError(f"{folder} is there already, and nothing is overwritten: name another with --path")
    if not folder.parent.is_dir():
        raise ConfigurationError(f"there is no folder {folder.parent}: make it first, or name another with --path")
    written = []
    for path, text in project(args.style, names):
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        written.append(str(path))
    console.tell(f"wrote {folder}: {len(written)} files", path=str(folder), files=written, **names)
    console.say(_NEXT.format(folder=folder, **names))
    return 0


_NEXT: Final = """\

  cd {folder}
  python -m pip install -U pip    25.1 or newer
  pip install -e . --group dev
  pytest                          the contract, against a server that is played on this machine: green, and to stay so
  convergekit verify {name}
  grep -rn TODO .                 what is yours to write; README.md says where to begin

A licence is yours to choose: there is no LICENSE."""


def _names(name: str, scheme: str) -> dict[str, str]:
    """What the templates call things.

    Raises:
        ConfigurationError: *name* or *scheme* cannot be used; says why.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ConfigurationError(
            f"{name!r} is no name for an adapter: lower-case letters, digits and single dashes, such as my-chat;"
            f" a letter first, and {_LONGEST} characters at most"
        )
    if name.startswith("convergekit-"):
        raise ConfigurationError(f"the name of the adapter alone is enough: {name.removeprefix('convergekit-')}")
    distribution = f"convergekit-{name}"
    taken = {entry.name: entry.distribution for entry in adapter_entries() if entry.distribution != distribution}
    if name in OURS:
        raise ConfigurationError(f"the name {name!r} is reserved for an adapter of convergekit: take another one")
    if name in taken:
        raise ConfigurationError(f"there is an adapter {name!r} already, of {taken[name]}")
    if not _SCHEME.fullmatch(scheme) or len(scheme) > _LONGEST:
        raise ConfigurationError(
            f"{scheme!r} is no scheme: lower-case letters, digits, +, - and dots, without a colon,"
            f" and {_LONGEST} characters at most"
        )
    ann, bob = _PEOPLE.get(scheme, ("ann", "bob"))
    return {
        "name": name,
        "Name": "".join(part.capitalize() for part in name.split("-")),
        "NAME": name.replace("-", "_").upper(),
        "package": distribution.replace("-", "_"),
        "distribution": distribution,
        "scheme": scheme,
        "ann": ann,
        "bob": bob,
        "version": __version__,
    }
