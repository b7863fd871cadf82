"""`convergekit schema`: what editors need to know about the settings."""

from __future__ import annotations

import argparse
import json

from convergekit.config import json_schema

from ._console import Console

__all__ = ["run"]


def run(args: argparse.Namespace, console: Console) -> int:
    """Print it; with `--json` on one line."""
    schema = json_schema()
    console.tell(json.dumps(schema, indent=2, ensure_ascii=False), **schema)
    return 0
