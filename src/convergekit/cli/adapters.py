"""`convergekit adapters`: what is installed, without importing it; with `--check`, which of it works."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from convergekit.config import AdapterEntry, adapter_class, adapter_entries
from convergekit.errors import ConfigurationError

from ._console import Console

__all__ = ["run"]


def run(args: argparse.Namespace, console: Console) -> int:
    """List them; return 1 when `--check` found a broken one."""
    entries = adapter_entries()
    if not args.check:
        rows = [asdict(entry) for entry in entries]
        console.table(rows, ("name", "distribution", "version", "target"))
    else:
        rows = []
        for entry in entries:
            console.progress(f"importing {entry.name}")
            rows.append(asdict(entry) | _checked(entry))
        console.table(rows, ("name", "distribution", "version", "schemes", "state"))
    broken = [row for row in rows if row["error"] is not None]
    for row in broken:
        console.warn(row["error"])
    return int(args.check and bool(broken))


def _checked(entry: AdapterEntry) -> dict[str, Any]:
    if entry.error is not None:
        return {"state": "broken", "schemes": None}
    try:
        found = adapter_class(entry.name)
    except ConfigurationError as exc:
        return {"state": "broken", "schemes": None, "error": str(exc)}
    return {"state": "ok", "schemes": " ".join(sorted(found.schemes))}
