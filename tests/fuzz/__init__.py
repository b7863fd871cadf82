"""Whatever bytes come in at the door: `python -m tests.fuzz`."""
