"""`convergekit enable`: from a shell, an endpoint that has answered 410 is written to again."""

from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest

from convergekit import Hub
from convergekit.cli import main
from convergekit.errors import RejectedError

SHOP = "https://shop.example/hooks"


async def sent(settings: Path, status: int) -> str | None:
    """The code with which one message is refused, None where it is taken; the endpoint answers *status*."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    async with Hub.from_toml(settings, parts={"shop": {"transport": transport}}) as hub:
        try:
            await hub.send("The prices are out.", to=SHOP)
        except RejectedError as exc:
            return exc.code
    return None


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Of a channel with an endpoint that has said that it wants no more."""
    found = tmp_path / "convergekit.toml"
    secret = "whsec_" + "bm90IGEgc2VjcmV0" * 2
    found.write_text(
        f'[store]\nurl = "sqlite:///{tmp_path}/ledger.db"\n[channels.shop]\nadapter = "webhook"\nsecrets = "{secret}"\n'
    )
    assert anyio.run(partial(sent, found, 410)) == "410"
    return found


def test_it_is_written_to_again(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert anyio.run(partial(sent, settings, 204)) == "disabled"
    assert main(["enable", "shop", SHOP, "--config", str(settings)]) == 0
    assert capsys.readouterr().out == f"{SHOP} is written to again\n"
    assert anyio.run(partial(sent, settings, 204)) is None
    assert main(["enable", "shop", SHOP, "--config", str(settings)]) == 1
    assert "was not disabled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["mail", SHOP], "there is no channel 'mail'"),
        (["shop", "shop.example"], "not an address"),
    ],
)
def test_what_is_typed_wrong_is_told(
    settings: Path, capsys: pytest.CaptureFixture[str], argv: list[str], told: str
) -> None:
    assert main(["enable", *argv, "--config", str(settings)]) == 2
    assert told in capsys.readouterr().err
