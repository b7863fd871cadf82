"""The arguments of every command. Nothing heavy is imported here, so that `--help` answers at once."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

from convergekit._version import __version__

__all__ = ["parser"]

_DESCRIPTION: Final = "One interface that sends and receives: email, XMPP, SMS, X, webhooks, and what comes next."
_EXAMPLES: Final = """\
examples:
  convergekit demo                                 messages go out and come in, without any account
  convergekit check convergekit.toml               are all channels set up, and can they do their work?
  convergekit send --to https://example.org/hook "It works"
  convergekit listen --port 8080                   receive webhooks, and print what comes in
  convergekit worker shop.messages:router          serve the channels with your own handlers
  convergekit dead list                            what was given up, or is unknown, and waits for you
  convergekit redeliver --channel shop --since 2h  send again what failed
  convergekit new-adapter my-chat                  teach it a medium of your own

exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted
"""
_CONFIG: Final = "convergekit.toml"
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; what it returns has the name of a command's module as `command`."""
    main = _Parser(
        prog="convergekit",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    main.add_argument("--version", action="version", version=f"convergekit {__version__}")
    commands = main.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (
        _demo, _send, _listen, _worker, _dead, _enable, _redeliver, _search, _export, _erase, _retain, _db, _adapters,
        _check, _schema, _verify, _parse, _new_adapter,
    ):  # fmt: skip
        add(commands)
    return main


if TYPE_CHECKING:
    _Commands: TypeAlias = argparse._SubParsersAction["_Parser"]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is a `--help` away."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser(commands: _Commands, name: str, about: str, examples: str) -> _Parser:
    return commands.add_parser(
        name,
        help=about,
        description=about[:1].upper() + about[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _command(commands: _Commands, name: str, about: str, examples: str) -> _Parser:
    found = _parser(commands, name, about, examples)
    found.add_argument("--json", action="store_true", help="print one JSON object a line, for machines")
    found.add_argument("--debug", action="store_true", help="on an error, show where it comes from")
    return found


def _demo(commands: _Commands) -> None:
    about = "run the main job on real sockets of this machine, without any account"
    found = _command(commands, "demo", about, "  convergekit demo\n  convergekit demo --json\n")
    _add_backend(found)


def _send(commands: _Commands) -> None:
    about = "send one message, and say what became of it"
    examples = (
        '  convergekit send --to sms:+4915112345678 "Your parcel is on its way"\n'
        "  convergekit send --to mailto:ann@example.org --subject Report - < report.txt\n"
        '  convergekit send --to https://example.org/hook --key order-42:shipped "Shipped"\n'
    )
    found = _command(commands, "send", about, examples)
    found.add_argument("--config", default=_CONFIG, metavar="FILE", help=f"settings (default: {_CONFIG})")
    found.add_argument("--to", required=True, metavar="URI", help="to whom, such as mailto:ann@example.org")
    found.add_argument("--channel", metavar="NAME", help="by which channel, where several serve the address")
    found.add_argument("--key", help="sent once under this key, however often it is asked for")
    found.add_argument("--subject", help="where the medium has one")
    found.add_argument(
        "--timeout", type=_seconds, default=30.0, metavar="SECONDS", help="how long to wait (default: 30)"
    )
    found.add_argument("text", metavar="TEXT", help='what to say; "-" reads it from standard input')
    _add_backend(found)


def _listen(commands: _Commands) -> None:
    about = "open the channels of a file, serve their webhooks, and print what comes in"
    examples = "  convergekit listen\n  convergekit listen --config my.toml --port 8080 --json\n"
    found = _command(commands, "listen", about, examples)
    found.add_argument("--config", default=_CONFIG, metavar="FILE", help=f"settings (default: {_CONFIG})")
    found.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1, this machine only)")
    found.add_argument("--port", type=_port, default=8000, help="default: 8000; 0 takes any that is free")
    _add_public_url(found)
    _add_backend(found)


def _worker(commands: _Commands) -> None:
    about = "run one worker: open the channels, send what is due, and handle what comes in"
    examples = (
        "  convergekit worker shop.messages:router\n"
        "  convergekit worker shop.messages:hub --port 8080\n"
        "  convergekit worker --config my.toml            without handlers, it only sends\n"
    )
    found = _command(commands, "worker", about, examples)
    found.add_argument(
        "app", nargs="?", metavar="MODULE:NAME", help="your Router or Hub; without one the worker only sends"
    )
    found.add_argument("--config", metavar="FILE", help=f"settings (default: {_CONFIG}); a Hub of yours has its own")
    found.add_argument("--host", default="127.0.0.1", help="where to take webhooks (default: 127.0.0.1)")
    found.add_argument("--port", type=_port, help="take webhooks at this port; without it none are taken")
    _add_public_url(found)
    _add_backend(found)


def _add_public_url(found: _Parser) -> None:
    found.add_argument(
        "--public-url", metavar="URL", help="where others find what listens here, for signatures that cover the URL"
    )


def _dead(commands: _Commands) -> None:
    about = "look at dead letters and at what is unknown, and decide what becomes of them"
    examples = (
        "  convergekit dead list --direction out\n"
        "  convergekit dead show ID\n"
        "  convergekit dead retry --all                   events, once their handler is mended\n"
        "  convergekit dead resend ID --text 'What I meant'\n"
        "  convergekit dead settle ID --sent              it was unknown, and has arrived\n"
    )
    actions = _parser(commands, "dead", about, examples).add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = _dead_action(actions, "list", "list events, then deliveries, then what is unknown; each the oldest first")
    listed.add_argument("--direction", choices=("in", "out"), help="only events, or only deliveries")
    listed.add_argument("--state", choices=("dead", "unknown"), help="only what was given up, or only what is unknown")
    listed.add_argument("--channel", metavar="NAME", help="only those of one channel")
    listed.add_argument("--limit", type=_count, default=100, metavar="N", help="how many at most (default: 100)")
    shown = _dead_action(actions, "show", "show all of it, with its content")
    shown.add_argument("ids", nargs="+", metavar="ID")
    _dead_ids(_dead_action(actions, "retry", "have events handled anew"))
    resent = _dead_ids(_dead_action(actions, "resend", "send messages again, as new deliveries"))
    resent.add_argument("--text", help="say this in place of the text")
    _dead_ids(_dead_action(actions, "discard", "throw them away"))
    settled = _dead_action(actions, "settle", "say what became of unknown deliveries")
    settled.add_argument("ids", nargs="+", metavar="ID")
    settled.set_defaults(all=False)
    known = settled.add_mutually_exclusive_group(required=True)
    known.add_argument("--sent", action="store_true", help="they went out")
    known.add_argument("--not-sent", dest="sent", action="store_false", help="they did not, and are tried again")


_DEAD = {
    "list": "list --direction out --channel chat",
    "show": "show ID --json",
    "retry": "retry --all --channel chat",
    "resend": "resend ID --text 'What I meant'",
    "discard": "discard ID",
    "settle": "settle ID --not-sent",
}


def _dead_action(actions: _Commands, name: str, about: str) -> _Parser:
    found = _command(actions, name, about, f"  convergekit dead {_DEAD[name]}\n")
    _add_ledger(found)
    _add_backend(found)
    return found


def _dead_ids(found: _Parser) -> _Parser:
    found.add_argument("ids", nargs="*", metavar="ID")
    found.add_argument("--all", action="store_true", help="all that were given up; what is unknown is named by its id")
    found.add_argument("--channel", metavar="NAME", help="with --all, only those of one channel")
    return found


def _enable(commands: _Commands) -> None:
    about = "write again to an endpoint that has said that it wants no more"
    found = _command(commands, "enable", about, "  convergekit enable shop https://shop.example/hooks\n")
    found.add_argument("channel", metavar="CHANNEL", help="which one of the file")
    found.add_argument("addresses", nargs="+", metavar="ADDRESS", help="the endpoint, as it is written to")
    found.add_argument("--config", default=_CONFIG, metavar="FILE", help=f"settings (default: {_CONFIG})")
    found.set_defaults(store=None)
    _add_backend(found)


def _redeliver(commands: _Commands) -> None:
    about = "send again what failed, or what a receiver has lost"
    examples = (
        "  convergekit redeliver ID                       one message, or one delivery of it\n"
        "  convergekit redeliver --channel shop --to https://example.org/hook --since 2h\n"
        "  convergekit redeliver --channel shop --all --since 2026-01-31T12:00 --until 2026-01-31T14:00 --dry-run\n"
    )
    found = _command(commands, "redeliver", about, examples)
    found.add_argument("ids", nargs="*", metavar="ID", help="of messages, or of single deliveries")
    found.add_argument("--channel", metavar="NAME", help="in place of ids: all that failed on this channel")
    found.add_argument("--to", metavar="URI", help="only what went to this address")
    found.add_argument(
        "--since", type=_moment, metavar="TIME", help="such as 2026-01-31, 2026-01-31T12:00, or 2h for so long ago"
    )
    found.add_argument("--until", type=_moment, metavar="TIME", help="before that; said in the same way")
    found.add_argument("--all", action="store_true", help="also what was taken, where the medium recognises a repeat")
    found.add_argument("--limit", type=_count, metavar="N", help="send so many again at most")
    found.add_argument("--expires-in", type=_ahead, metavar="TIME", help="a new time to live, for what has expired")
    found.add_argument("--dry-run", action="store_true", help="only say what would be done")
    found.add_argument("--config", default=_CONFIG, metavar="FILE", help=f"settings (default: {_CONFIG})")
    found.set_defaults(store=None)
    _add_backend(found)


def _db(commands: _Commands) -> None:
    about = "make the ledger's tables or bring them up to date, and say how they are"
    examples = "  convergekit db upgrade\n  convergekit db status --store postgresql://app@db.example.org/app\n"
    actions = _parser(commands, "db", about, examples).add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, does in (
        ("upgrade", "make the tables, or bring them up to date; workers that run may go on"),
        ("status", "say which version the tables have, how large they are, and what keeps them so"),
        ("reindex", "make the search index anew, where an update has changed how words are cut"),
    ):
        _add_ledger(_command(actions, name, does, f"  convergekit db {name}\n"))


def _search(commands: _Commands) -> None:
    about = "search what was said on every channel, the newest first"
    examples = (
        "  convergekit search parcel\n"
        "  convergekit search '\"on its way\"' --contact sms:+4915112345678 --since 30d\n"
        "  convergekit search --conversation mailto:ann@example.org --limit 100\n"
    )
    found = _command(commands, "search", about, examples)
    _add_query(found)
    found.add_argument("--limit", type=_count, default=20, metavar="N", help="how many at most (default: 20)")
    found.add_argument("--after", metavar="PLACE", help="go on where an earlier search ended")


def _export(commands: _Commands) -> None:
    about = "write what was said to a file, the oldest first"
    examples = (
        "  convergekit export --format jsonl > everything.jsonl\n"
        "  convergekit export --format mbox --contact mailto:ann@example.org --output ann.mbox\n"
    )
    found = _command(commands, "export", about, examples)
    _add_query(found)
    found.add_argument(
        "--format", choices=("jsonl", "mbox"), required=True, help="JSON Lines, or what mail programs read"
    )
    found.add_argument("--output", default="-", metavar="FILE", help="a new file (default: standard output)")


def _erase(commands: _Commands) -> None:
    about = "take out all that was said with somebody; there is no way back"
    examples = "  convergekit erase mailto:ann@example.org sms:+4915112345678\n"
    found = _command(commands, "erase", about, examples)
    found.add_argument("addresses", nargs="+", metavar="ADDRESS", help="every address of theirs")
    _add_ledger(found)
    _add_backend(found)


def _retain(commands: _Commands) -> None:
    about = "take out the content of what is old; there is no way back"
    examples = "  convergekit retain --older-than 90d\n  convergekit retain --older-than 1w --channel alerts\n"
    found = _command(commands, "retain", about, examples)
    found.add_argument("--older-than", type=_age, required=True, metavar="TIME", help="such as 90d; s, m, h, d or w")
    found.add_argument("--channel", metavar="NAME", help="only of this channel")
    _add_ledger(found)
    _add_backend(found)


def _add_query(found: argparse.ArgumentParser) -> None:
    found.add_argument("words", nargs="*", metavar="WORD", help='all have to be there; "a phrase" is in quotes')
    found.add_argument("--contact", action="append", metavar="ADDRESS", help="said by or to; several are any of them")
    found.add_argument("--conversation", metavar="KEY", help="in this one: its address, with #THREAD if it has one")
    found.add_argument("--channel", metavar="NAME", help="on this channel")
    found.add_argument(
        "--since", type=_moment, metavar="TIME", help="such as 2026-01-31, 2026-01-31T12:00, or 7d for so long ago"
    )
    found.add_argument("--until", type=_moment, metavar="TIME", help="before that; said in the same way")
    found.add_argument("--direction", choices=("in", "out"), help="only what was said to us, or only what we said")
    _add_ledger(found)
    _add_backend(found)


def _adapters(commands: _Commands) -> None:
    about = "list the adapters that are installed"
    found = _command(commands, "adapters", about, "  convergekit adapters\n  convergekit adapters --check\n")
    found.add_argument("--check", action="store_true", help="import each, and say which are broken")


def _check(commands: _Commands) -> None:
    about = "check a file of settings, then each channel: credentials and reachability"
    found = _command(commands, "check", about, "  convergekit check\n  convergekit check my.toml --json\n")
    found.add_argument("config", nargs="?", default=_CONFIG, metavar="CONFIG", help=f"default: {_CONFIG}")
    _add_backend(found)


def _parse(commands: _Commands) -> None:
    about = "show what a webhook that was saved becomes on a channel; nothing is stored, and no signature asked for"
    examples = (
        '  convergekit parse ci issue.json --header "X-GitHub-Event: issues"\n'
        "  curl -s https://example.org/sample | convergekit parse shop - --json\n"
    )
    found = _command(commands, "parse", about, examples)
    found.add_argument("channel", metavar="CHANNEL", help="which one of the file")
    found.add_argument("file", metavar="FILE", help='the body of the call; "-" reads it from standard input')
    found.add_argument(
        "--header", action="append", default=[], metavar="FIELD", help='such as "X-GitHub-Event: issues"'
    )
    found.add_argument("--query", default="", help="of the URL, without its question mark")
    found.add_argument("--config", default=_CONFIG, metavar="FILE", help=f"settings (default: {_CONFIG})")
    _add_backend(found)


def _schema(commands: _Commands) -> None:
    about = "print the JSON Schema of the settings, for editors"
    _command(commands, "schema", about, "  convergekit schema > convergekit.schema.json\n")


def _verify(commands: _Commands) -> None:
    about = "check an adapter that is installed against the contract, rule by rule"
    examples = (
        "  convergekit verify webhook\n"
        "  convergekit verify pigeon --rule ack-after-admit --backend trio --debug\n"
        "  convergekit verify pigeon --json\n"
    )
    found = _command(commands, "verify", about, examples)
    found.add_argument("name", metavar="NAME", help="what the adapter is called in the settings")
    found.add_argument(
        "--rule", action="append", default=[], metavar="ID", help="only this one; may be given several times"
    )
    found.add_argument("--backend", choices=("asyncio", "trio"), help="only this event loop (default: both)")


def _new_adapter(commands: _Commands) -> None:
    about = "write a plugin project for a medium that nobody has yet: complete, tested and green"
    examples = (
        "  convergekit new-adapter pigeon\n"
        "  convergekit new-adapter my-chat --style listen --scheme chat --path ../chat-plugin\n"
    )
    found = _command(commands, "new-adapter", about, examples)
    found.add_argument("name", metavar="NAME", help="what the adapter will be called in the settings, such as my-chat")
    found.add_argument("--path", metavar="DIR", help="a new folder (default: convergekit-NAME)")
    found.add_argument(
        "--style",
        choices=("webhook", "poll", "listen"),
        default="webhook",
        help="how messages come in: the medium calls, it is asked, or it speaks on a connection (default: webhook)",
    )
    found.add_argument("--scheme", help="of its addresses, as in chat:ann (default: NAME)")


def _add_ledger(found: argparse.ArgumentParser) -> None:
    where = found.add_mutually_exclusive_group()
    where.add_argument("--store", metavar="URL", help="the ledger, such as sqlite:///convergekit.db")
    where.add_argument("--config", default=_CONFIG, metavar="FILE", help=f"settings that name it (default: {_CONFIG})")


def _add_backend(found: argparse.ArgumentParser) -> None:
    found.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio", help="event loop to run on")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to a day")
    return seconds


def _duration(text: str) -> float:
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not number.isdecimal() or len(number) > 6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 90d: a number, and s, m, h, d or w")
    return int(number) * unit


def _age(text: str) -> float:
    seconds = _duration(text)
    if seconds == 0:
        raise argparse.ArgumentTypeError(f"{text!r} would take out everything that is closed; say at least 1s")
    return seconds


def _ahead(text: str) -> timedelta:
    return timedelta(seconds=_duration(text))


def _moment(text: str) -> datetime:
    """A moment, of this machine's time zone unless it says otherwise; or so long ago."""
    if text[-1:] in _UNITS:
        return datetime.now(UTC) - timedelta(seconds=_duration(text))
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 2026-01-31, 2026-01-31T12:00 or 7d") from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to 65535")
    return int(text)
