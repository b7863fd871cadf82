"""Who is believed to be the server that the settings name."""

from __future__ import annotations

import ssl
from pathlib import Path

from convergekit.errors import ConfigurationError

__all__ = ["trusting"]


def trusting(ca: Path | None, *, setting: str) -> ssl.SSLContext:
    """What verifies a server: its certificate is for this host, and from somebody who is trusted. Reads files.

    Args:
        ca: A file of certificates, in place of the system's.
        setting: Where *ca* stands: "smtp.ca".

    Raises:
        ConfigurationError: It is no such file.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as exc:  # ssl.SSLError is one
        raise ConfigurationError(f"{setting}: {ca} is no file of certificates in PEM") from exc
