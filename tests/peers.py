"""Peers: the real servers and programs that tests talk with. `make peers` installs what this machine may install."""

import os
from typing import NoReturn

import pytest


def lacking(why: str) -> NoReturn:
    """A peer is not there: the test is skipped, saying *why*; where CI is "true" it fails, for it was meant to run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why}; with CI=true every peer must be there", pytrace=False)
    pytest.skip(why)
