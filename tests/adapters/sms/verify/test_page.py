"""The page about signatures says what the profiles say."""

import re
from pathlib import Path

import pytest

from convergekit.adapters.sms import profiles
from convergekit.adapters.sms.verify import SCHEMES

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "adapters" / "sms_signatures.md").read_text("utf-8")
ROWS = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("name", profiles.names())
def test_each_gateway_has_its_scheme_its_secret_and_what_is_covered(name: str) -> None:
    (row,) = [row for row in ROWS if f"`{name}`" in row[0]]
    verify = profiles.load(name).verify
    assert re.findall(r"`([^`]+)`", row[1]) == [each.scheme for each in verify]
    secrets = [each.secret for each in verify]
    settings = [option.strip("{}") for each in verify for option in each.options.values() if option.startswith("{")]
    assert set(re.findall(r"`(\w+)`", row[2])) == {*secrets, *settings} or (not verify and "callback_token" in row[2])
    assert row[4].strip() == (SCHEMES[verify[0].scheme].covers.partition(" (")[0] if verify else "nothing")
