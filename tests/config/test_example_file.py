"""The settings in `examples/` are right, those that are commented out as well."""

import re
from pathlib import Path

import pytest

from convergekit.config import load
from convergekit.errors import ConfigurationError

EXAMPLE = Path(__file__).parents[2] / "examples" / "convergekit.toml"


def test_the_example_is_right() -> None:
    assert list(load(EXAMPLE, {}).channels) == ["support-chat"]


def test_what_is_commented_out_is_right(tmp_path: Path) -> None:
    path = tmp_path / "convergekit.toml"
    head, _, rest = EXAMPLE.read_text("utf-8").partition("# [channels.shop]")
    path.write_text(head + "[channels.shop]" + re.sub(r"(?m)^# ?", "", rest))
    assert list(load(path, {"SHOP_SECRET": "whsec_" + "A" * 44}).channels) == ["support-chat", "shop"]
    with pytest.raises(ConfigurationError, match="the environment variable SHOP_SECRET is not set"):
        load(path, {})
