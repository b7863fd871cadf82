"""The vendors' own libraries, which have the last word on what a signature is worth."""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from unittest import mock

from tests.peers import lacking

__all__ = ["oracle"]


def oracle(name: str, *unused: str) -> ModuleType:
    """The module *name* of a vendor's library, or the test is skipped; one that is *unused* in it need not be there.

    What stands in the `__init__` of the packages above it is not run: that would cost seconds, and all they depend on.
    """
    *above, _ = name.split(".")
    spec = find_spec(name.partition(".")[0])
    if spec is None:
        lacking(f"{name.partition('.')[0]} is not installed (`make test` does it)")
    hollow: dict[str, Any] = {each: mock.MagicMock() for each in unused}
    where = list(spec.submodule_search_locations or ())
    for count, each in enumerate(above, 1):
        where = where if count == 1 else [f"{path}/{each}" for path in where]
        package = ModuleType(".".join(above[:count]))
        package.__path__ = where
        hollow[package.__name__] = package
    hollow = {each: module for each, module in hollow.items() if each not in sys.modules}
    sys.modules.update(hollow)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some are older than the Python that reads them
            return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        lacking(f"{exc.name} is not installed (`make test` does it)")
    finally:
        for each in hollow:
            del sys.modules[each]
