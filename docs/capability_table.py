"""Write the table of docs/adapters/index.md from the adapters' own capabilities and verbs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convergekit import abc
from convergekit.abc import Adapter
from convergekit.config import adapter_class, adapter_entries
from convergekit.model import Capabilities, IdempotencyKind
from convergekit.testing.adapter import implements

PAGE = Path(__file__).parent / "adapters" / "index.md"
BEGIN = "<!-- Written by docs/capability_table.py; do not edit this table. -->\n"
END = "<!-- End of the table. -->\n"

WAYS_IN: Mapping[str, type[Any]] = {"push": abc.Listens, "poll": abc.Polls, "webhook": abc.ReceivesWebhooks}
VERBS: Mapping[str, type[Any]] = {
    "edit": abc.SupportsEdit,
    "retract": abc.SupportsRetract,
    "react": abc.SupportsReactions,
    "mark as read": abc.SupportsReadMarkers,
    "typing": abc.SupportsTyping,
    "presence": abc.SupportsPresence,
    "subscriptions": abc.SupportsSubscriptions,
    "rooms": abc.SupportsRooms,
    "upload": abc.SupportsUpload,
    "fetch media": abc.SupportsMedia,
    "history": abc.SupportsHistory,
    "reconcile": abc.SupportsReconcile,
    "find by name": abc.SupportsLookup,
    "hand over": abc.SupportsHandOver,
    "enable again": abc.SupportsEndpoints,
    "batch": abc.SupportsBatch,
}
_UNITS: Mapping[str, str] = {
    "codepoint": "characters",
    "utf16": "UTF-16 units",
    "byte": "bytes",
    "gsm7": "septets",
    "weighted": "weighted characters",
}
_YES, _NO = "yes", "–"


def ours() -> Sequence[type[Adapter[Any]]]:
    """The adapters that come with convergekit, by name."""
    names = [entry.name for entry in adapter_entries() if entry.target.startswith("convergekit.")]
    return [adapter_class(name) for name in names]


def page(text: str) -> str:
    """*text* with the table as it should be."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} has lost its markers: {BEGIN.strip()} and {END.strip()}")
    return f"{head}{BEGIN}\n{table(ours())}\n{END}{tail}"


def table(adapters: Sequence[type[Adapter[Any]]]) -> str:
    """One column for each of *adapters*, one row for each thing that a medium can or cannot do."""
    columns = [_column(each) for each in adapters]
    names = " | ".join(f"[{each.name}]({each.name}.md)" for each in adapters)
    rows = [f"| {row} | " + " | ".join(column[row] for column in columns) + " |\n" for row in columns[0]]
    return f"| | {names} |\n|---|{'---|' * len(columns)}\n" + "".join(rows)


def _column(adapter: type[Adapter[Any]]) -> Mapping[str, str]:
    limits = adapter.capabilities
    verbs = [verb for verb, protocol in VERBS.items() if implements(adapter, protocol)]
    return {
        "addresses": _listed(f"`{scheme}:`" for scheme in sorted(adapter.schemes)),
        "text of one part": _text(limits),
        "markup": _markup(limits),
        "attachments": _attachments(limits),
        **{name: _YES if getattr(limits, name) else _NO for name in ("subject", "cc", "threads", "replies")},
        "reports": _listed(status.name for status in sorted(limits.receipts)),
        "knows a repeat": _idempotency(limits),
        "comes in by": _listed(way for way, protocol in WAYS_IN.items() if implements(adapter, protocol)),
        "also": _listed(verbs),
        "event loops": _listed(sorted(adapter.backends)),
    }


def _text(limits: Capabilities) -> str:
    if limits.text is None:
        return "no limit known"
    return f"{limits.text.max} {_UNITS[limits.text.unit]}, longer is {_past(limits.text.overflow)}"


def _past(overflow: str) -> str:
    return {"split": "split", "refuse": "refused"}[overflow]


def _markup(limits: Capabilities) -> str:
    beside = " and HTML" if limits.markup.html_alternative else ""
    some = "" if limits.markup.nodes is None else f" ({', '.join(sorted(limits.markup.nodes))})"
    return limits.markup.format + beside + some


def _attachments(limits: Capabilities) -> str:
    most = limits.attachments
    if not most.count:
        return _NO
    each = "" if most.size is None else f", {most.size} bytes each"
    total = "" if most.total is None else f", {most.total} bytes in all"
    kinds = "" if most.media_types is None else f", {' or '.join(sorted(most.media_types))} only"
    return f"up to {most.count}{each}{total}{kinds}"


def _idempotency(limits: Capabilities) -> str:
    known = limits.idempotency
    if known.kind is IdempotencyKind.NONE:
        return _NO
    by = {IdempotencyKind.KEY: "by its key", IdempotencyKind.NATURAL: "by its id"}[known.kind]
    return by if known.window is None else f"{by}, for {known.window:g} s"


def _listed(names: Any) -> str:
    return ", ".join(names) or _NO


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
