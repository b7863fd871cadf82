"""The `convergekit` command: clear lines, exit codes, and no traceback."""

import argparse
import json
import logging
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convergekit import __version__
from convergekit.cli import main, schema
from convergekit.cli._console import Console
from convergekit.cli._parser import parser
from convergekit.errors import ConfigurationError, StoreError

COMMANDS = ["demo", "send", "listen", "adapters", "check", "schema", "verify", "parse", "new-adapter"]


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(args: argparse.Namespace, console: Console) -> int:
        raise error

    monkeypatch.setattr(schema, "run", run)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"examples:\n  convergekit {command}" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["list", "show", "retry", "resend", "discard", "settle"])
def test_help_of_what_becomes_of_a_dead_letter_has_a_real_example(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dead", action, "--help"]) == 0
    (example,) = capsys.readouterr().out.rpartition("examples:\n")[2].splitlines()
    assert "--help" not in example
    assert parser().parse_args(shlex.split(example)[1:]).action == action


def test_help_names_every_command_and_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [command for command in COMMANDS if not re.search(rf"\n    {command}\s", shown)] == []
    assert "examples:\n  convergekit demo" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"convergekit {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "convergekit: the following arguments are required: COMMAND (see convergekit --help)\n"),
        (
            ["send"],
            "convergekit send: the following arguments are required: --to, TEXT (see convergekit send --help)\n",
        ),
        (["listen", "--port", "65536"], "'65536' is not a port: a number from 0 to 65535"),
        (["listen", "--port", "-1"], "'-1' is not a port"),
        (["lsiten"], "invalid choice: 'lsiten'"),
    ],
)
def test_wrong_usage_is_one_line_and_2(argv: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigurationError("a.toml: one\na.toml: two"), 2, "convergekit: a.toml: one\nconvergekit: a.toml: two\n"),
        (StoreError("the ledger failed"), 1, "convergekit: the ledger failed\n"),
        (OSError(98, "address already in use"), 1, "convergekit: [Errno 98] address already in use\n"),
        (ExceptionGroup("tasks", [StoreError("one"), StoreError("two")]), 1, "convergekit: one\nconvergekit: two\n"),
        (KeyError("x"), 1, "convergekit: KeyError: 'x' (this is a bug; --debug shows where)\n"),
        (KeyboardInterrupt(), 130, ""),
        (BaseExceptionGroup("tasks", [KeyboardInterrupt()]), 130, ""),
    ],
)
def test_errors_are_clear_lines_and_a_code(
    error: BaseException,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing(monkeypatch, error)
    assert main(["schema"]) == code
    assert capsys.readouterr().err == told


def test_debug_shows_where_an_error_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, StoreError("the ledger failed"))
    with pytest.raises(StoreError):
        main(["schema", "--debug"])


def test_interrupting_stays_quiet_in_debug_too(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    assert main(["schema", "--debug"]) == 130


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["schema"], "convergekit: a handler failed (KeyError; --debug shows where)\n"),
        (["schema", "--debug"], "Traceback (most recent call last):"),
    ],
)
def test_what_the_library_logs_is_a_line(
    argv: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(args: argparse.Namespace, console: Console) -> int:
        try:
            raise KeyError("x")
        except KeyError:
            logging.getLogger("convergekit.somewhere").exception("a handler failed\nwith details")
        return 0

    monkeypatch.setattr(schema, "run", run)
    assert main(argv) == 0
    assert told in capsys.readouterr().err
    assert not [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]


def run(*argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from convergekit.cli import main; sys.exit(main())", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def test_a_reader_who_leaves_is_no_error() -> None:
    """As in `convergekit schema | head -1`: the pipe is closed before everything is written."""
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from convergekit.cli import main; sys.exit(main(['schema']))"
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_that_lacks_a_character_gets_its_number() -> None:
    done = run("check", "no-such-file-\u2713.toml", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("convergekit: no-such-file-\\u2713.toml: there is no such file")


def test_help_answers_at_once() -> None:
    """Nothing heavy is loaded before a command is chosen."""
    code = (
        "import sys; before = {*sys.modules}; from convergekit.cli import main; main(['--help']); main(['send', '-h']);"
        "print(*({*sys.modules} - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    heavy = {"pydantic", "anyio", "httpx", "asyncio", "trio", "hypercorn", "importlib.metadata", "ssl"}
    assert set(done.stderr.split()) & heavy == set()


def test_the_command_is_installed() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("convergekit"), "adapters", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert {"loopback", "webhook"} <= {json.loads(line)["name"] for line in done.stdout.splitlines()}


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "convergekit", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"convergekit {__version__}\n"
