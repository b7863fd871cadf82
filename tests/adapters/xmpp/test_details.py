"""What only XMPP tells is typed, and told on the page."""

import re
from pathlib import Path

import pytest

from convergekit.adapters.xmpp import Xmpp
from convergekit.model import MessageReceived

PAGE = (Path(__file__).parents[3] / "docs" / "adapters" / "xmpp.md").read_text("utf-8")


def test_each_of_them_is_on_the_page() -> None:
    table = PAGE.partition("What `Xmpp.of(event)` tells")[2].partition("\n\n")[2].partition("\n\n")[0]
    names = {name for row in table.split("\n")[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert names == set(Xmpp.model_fields)


@pytest.mark.parametrize("xmpp", [Xmpp(), Xmpp(type="groupchat", nickname="ann", private=True, bodies={"": "a"})])
def test_they_are_read_as_they_were_written(xmpp: Xmpp) -> None:
    assert Xmpp.of(MessageReceived(key="k", details=xmpp.to_details())) == xmpp


def test_what_a_later_version_adds_does_no_harm() -> None:
    assert Xmpp.of(MessageReceived(key="k", details={"resource": "desk", "new": 1})) == Xmpp(resource="desk")


def test_no_password_is_shown() -> None:
    assert "sesame" not in repr(Xmpp(password="sesame"))
