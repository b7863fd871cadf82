"""What was logged, kept."""

from __future__ import annotations

import logging

__all__ = ["Recorder"]


class Recorder(logging.Handler):
    """Appends each record, at any level, to *records*."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        self._records.append(record)
