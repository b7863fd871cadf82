"""What `pip install convergekit` brings is enough: nothing else that happens to be here may be needed."""

import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PROGRAM = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}, which is not among the dependencies", name=name)

ABSENT = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Absent())

import anyio
from convergekit import Hub, MessageReceived

hub = Hub()

@hub.on_message()
async def answer(message: MessageReceived) -> str:
    return f"We have {message.text!r}."

async def main():
    from convergekit.adapters.loopback import Medium

    tokens = {"client_id": "ours", "refresh_token": "first"}
    await hub.add_channel("posts", {"adapter": "x", "oauth2": tokens})
    await hub.add_channel("mail", {"adapter": "email", "address": "a@example.org", "imap": {"host": "localhost"}})
    medium = Medium()
    await hub.add_channel("chat", {"adapter": "loopback"}, medium=medium)
    async with hub:
        print(hub.channel("mail").reason)
        print(hub.channel("posts").reason)
        sent = await hub.send("Hello", to="loopback:ann", key="k")
        medium.say(sender="loopback:ann", text="Where is it?")
        while len(medium.sent) < 2:
            await anyio.sleep(0.01)
        found = await hub.archive.search("hello")
    print(sent.status, medium.texts(), len(found.found))

anyio.run(main)
"""


def brought(name: str, found: set[str] | None = None) -> set[str]:
    """What installing *name* installs."""
    found = set() if found is None else found
    if canonicalize_name(name) not in found:
        found.add(canonicalize_name(name))
        for line in distribution(name).requires or ():
            each = Requirement(line)
            if each.marker is None or each.marker.evaluate({"extra": ""}):
                brought(each.name, found)
    return found


def test_a_ledger_in_a_file_needs_no_more_than_the_dependencies(tmp_path: Path) -> None:
    ours = brought("convergekit")
    absent = [
        module
        for module, names in packages_distributions().items()
        if ours.isdisjoint(map(canonicalize_name, names)) and module.isidentifier()
    ]
    assert {"aiosmtplib", "greenlet", "pytest", "psycopg", "hypercorn"} <= set(absent)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, ",".join(absent)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    mail, posts, answered = done.stdout.splitlines()
    assert "pip install 'convergekit[email]'" in mail
    assert "pip install 'convergekit[x]'" in posts
    assert answered == """ACCEPTED ['Hello', "We have 'Where is it?'."] 1"""
    told = {line.partition(":")[0] for line in done.stderr.splitlines()}
    assert told == {"channel mail is degraded", "channel posts is degraded"}


def test_an_x_channel_loads_no_client_until_it_is_opened() -> None:
    """Settings are read, channels added and messages planned by processes that never connect."""
    program = (
        "import sys; from convergekit import Hub; from convergekit.adapters.x import XAdapter, XConfig;"
        "from convergekit.testing import FakeContext;"
        "config = XConfig(oauth2={'client_id': 'ours', 'refresh_token': 'first'});"
        "XAdapter(config, FakeContext());"
        "print(*sorted({'tweepy', 'aiohttp', 'async_lru', 'requests', 'oauthlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
