"""What is wrong with the settings of a mailbox is told with the way out, before anybody is asked."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from convergekit import Hub
from convergekit.adapters.email import EmailConfig
from convergekit.errors import ConfigurationError

pytestmark = pytest.mark.anyio
SMTP = {"host": "mail.example.org"}


@pytest.mark.parametrize("typed", ["Support <support@example.org>", "support at example.org", "<support@example.org>"])
@pytest.mark.parametrize("setting", ["address", "reply_to", "aliases"])
def test_a_name_beside_an_address_is_told_where_it_belongs(setting: str, typed: str) -> None:
    said = {"address": "support@example.org", "smtp": SMTP, setting: [typed] if setting == "aliases" else typed}
    with pytest.raises(ValidationError, match="the name beside it is `display_name`"):
        EmailConfig.model_validate(said)


@pytest.mark.parametrize(
    ("dsn", "way"),
    [
        ("imap://ann%40example.org:hunter22@mail.example.org", "its scheme is one of smtp, smtps"),
        ("smtp://ann:hunter22@mail.example.org", "say `address`"),
        ("smtp://ann%40example.org:hunter/22@mail.example.org", "are percent-encoded"),
        ("smtp://ann%40example.org:hunter#22@mail.example.org/", "are percent-encoded"),
        ("smtp://ann%40example.org:hunter22@mail.example.org:99999", "a port is a number"),
        ("smtp://ann%40example.org:hunter22@mail.example.org/?adress=ann@example.org", "it takes `address`"),
        ("smtp://ann%40example.org:hunter22@mail.example.org/?timeout=5", "what else is set needs tables"),
    ],
)
async def test_a_wrong_dsn_tells_the_way_out_and_no_password(dsn: str, way: str) -> None:
    """As it comes out of the reader of settings, which drops whatever repeats a stretch of a secret."""
    async with Hub(store="memory:") as hub:
        with pytest.raises(ConfigurationError, match=way) as refused:
            await hub.add_channel("support-mail", {"adapter": "email", "dsn": dsn})
    assert "hunter" not in str(refused.value)
