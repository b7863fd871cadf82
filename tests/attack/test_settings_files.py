"""Files, variables and streams that nobody would write on purpose: a typed error and a clear line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from convergekit.config import load
from convergekit.errors import ConfigurationError

DEEP = 3000


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        (f"a = {'9' * 5000}", {}),
        (f"a = {'[' * DEEP}{']' * DEEP}", {}),
        (f'[channels.x]\nadapter = "webhook"\nurl{".a" * DEEP} = 1', {}),
        ('[channels.x]\nadapter = "webhook"\nsecrets = { env = "S" }', {"S": "[" * DEEP}),
        ('[channels.x]\nadapter = "webhook"\nsecrets = { env = "S" }', {"S": "[" * DEEP + "]" * DEEP}),
        ('[channels.x]\nadapter = "webhook"', {"CONVERGEKIT_CHANNELS__X" + "__A" * DEEP: "1"}),
    ],
    ids=["digits", "lists", "dotted", "unclosed-variable", "variable", "name-of-variable"],
)
def test_what_is_too_long_or_too_deep_is_told_by_its_file(text: str, environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "convergekit.toml"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=r"convergekit\.toml: "):
        load(path, environ)


def test_a_name_that_no_file_can_have_is_told() -> None:
    with pytest.raises(ConfigurationError, match="not the name of a file"):
        load("a\0b", {})


@pytest.mark.parametrize(
    ("arguments", "closed", "code"),
    [("schema", 1, 0), ("adapters", 2, 0), ("check none.toml", 2, 2), ("send --to loopback:ann -", 0, 2)],
)
def test_a_stream_that_the_shell_has_closed_is_no_bug(arguments: str, closed: int, code: int, tmp_path: Path) -> None:
    (tmp_path / "convergekit.toml").write_text('[store]\nurl = "memory:"\n[channels.loop]\nadapter = "loopback"\n')
    redirect = "<&-" if closed == 0 else f"{closed}>&-"
    command = f'exec "$0" -m convergekit {arguments} {redirect}'

    done = subprocess.run(["sh", "-c", command, sys.executable], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == code
    assert "bug" not in done.stdout + done.stderr
    assert "convergekit: " not in done.stdout  # what belongs on a closed stderr is not mixed into the results
