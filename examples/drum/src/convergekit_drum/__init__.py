"""Drum, an SMS gateway: `adapter = "sms"`, `gateway = "drum"`."""

from pathlib import Path

__all__ = ["PROFILE"]

#: What the entry point names: a path, a table, or a function that gives one of them.
PROFILE = Path(__file__).with_name("drum.toml")
