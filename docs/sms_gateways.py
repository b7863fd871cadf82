"""Write the tables of gateways of docs/adapters/sms.md from their profiles."""

from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import get_args

from convergekit.adapters.sms import profiles
from convergekit.adapters.sms.profile import UNITS, Medium, Profile, Word
from convergekit.model import Status

PAGE = Path(__file__).parent / "adapters" / "sms.md"
BEGIN = "<!-- Written by docs/sms_gateways.py; do not edit these tables. -->\n"
END = "<!-- End of the tables. -->\n"
BEGIN_WORDS = "<!-- Written by docs/sms_gateways.py; do not edit this table of words. -->\n"
END_WORDS = "<!-- End of the table of words. -->\n"

_MEDIA: Mapping[Medium, str] = {"sms": "SMS", "mms": "MMS", "whatsapp": "WhatsApp", "rcs": "RCS"}
_UNITS: Mapping[str, str] = {"gsm7": "septets", "codepoint": "characters", "utf16": "UTF-16 units", "byte": "bytes"}
_MEANINGS: frozenset[str] = frozenset(get_args(Word))
_NO = "–"


def page(text: str) -> str:
    """*text* with the tables as they should be."""
    ours = ours_by_name()
    text = _between(text, BEGIN, END, f"{table(ours)}\n{limits(ours)}\n{settings(ours)}")
    return _between(text, BEGIN_WORDS, END_WORDS, words(ours))


def _between(text: str, begin: str, end: str, written: str) -> str:
    head, begins, rest = text.partition(begin)
    _, ends, tail = rest.partition(end)
    if not (begins and ends):
        raise ValueError(f"{PAGE.name} has lost its markers: {begin.strip()} and {end.strip()}")
    return f"{head}{begin}\n{written}\n{end}{tail}"


def ours_by_name() -> Sequence[Profile]:
    """The gateways that come with convergekit."""
    return [profiles.load(name) for name in profiles.names(installed=lambda: ())]


def table(gateways: Sequence[Profile]) -> str:
    """What each of *gateways* can do."""
    rows = [_row(each) for each in gateways]
    return _table(
        ["", *rows[0]], [[_named(profile), *row.values()] for profile, row in zip(gateways, rows, strict=True)]
    )


def limits(gateways: Sequence[Profile]) -> str:
    """How much each of *gateways* takes, by medium."""
    rows = [
        [f"`{profile.name}`", *(_limit(profile, medium) if medium in profile.media else _NO for medium in _MEDIA)]
        for profile in gateways
    ]
    return _table(["At most", *_MEDIA.values()], rows)


def settings(gateways: Sequence[Profile]) -> str:
    """What the account of each of *gateways* says."""
    rows = [
        [f"`{profile.name}`", f"`{name}`", setting.description, _default(setting.required, setting.default)]
        for profile in gateways
        for name, setting in profile.settings.items()
    ]
    return _table(["Account of", "Setting", "Is", "Default"], rows)


def words(gateways: Sequence[Profile]) -> str:
    """What the words of *gateways* mean, and by which codes they tell of an opt-out."""
    shown = [status for status in Status if status.value in _MEANINGS]
    rows = [[status.name, _said(gateways, {status.value})] for status in shown]
    kinds = _MEANINGS - {status.value for status in Status} - {"none"}
    rows.append(["FAILED, and why", _said(gateways, kinds)])
    codes = [(profile, {**profile.codes, **profile.reply.codes}) for profile in gateways]
    rows.append(["FAILED, and opted out", _told_by((each, _meaning(table, {"opted_out"})) for each, table in codes)])
    rows.append(["no change", "whatever is not listed, and " + _said(gateways, {"none"})])
    return _table(["Status", "By"], rows)


def _said(gateways: Sequence[Profile], means: Set[str]) -> str:
    return _told_by((each, _meaning(each.words, means)) for each in gateways)


def _meaning(table: Mapping[str, str], means: Set[str]) -> list[str]:
    """Words of *table* that mean one of *means*; SMPP's many statuses of errors are told of as one."""
    found = [word for word, meaning in table.items() if meaning in means]
    return ["ESME_R..." if word.startswith("ESME_R") and word != "ESME_ROK" else word for word in found]


def _told_by(told: Iterable[tuple[Profile, Iterable[str]]]) -> str:
    """Words without regard to case, each with who says it."""
    spelt: dict[str, str] = {}
    by: dict[str, dict[str, None]] = {}
    for profile, said in told:
        for word in said:
            by.setdefault(spelt.setdefault(word.casefold(), word), {})[profile.name] = None
    return _listed(f"`{word}` ({', '.join(by[word])})" for word in sorted(by, key=_order))


def _order(word: str) -> tuple[int, str]:
    return (int(word), "") if word.isdigit() else (1_000_000, word.casefold())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _default(required: bool, default: str | None) -> str:
    return f"`{default}`" if default is not None else "" if required else "none"


def _named(profile: Profile) -> str:
    title = f"[{profile.title}]({profile.documentation})" if profile.documentation else profile.title
    return f"{title} `{profile.name}`"


def _row(profile: Profile) -> Mapping[str, str]:
    return {
        "carries": _listed(_MEDIA[each] for each in profile.media),
        "reports": _reports(profile),
        "brings": _inbound(profile),
        "learns our URL from": _told(profile),
        "proves itself by": _listed([*(f"`{each.scheme}`" for each in profile.verify), "token"]),
        "tries for": _validity(profile),
        "knows a repeat": "by its key" if profile.send and profile.send.idempotency else _NO,
    }


def _told(profile: Profile) -> str:
    """Whether reports come without anything that a person has to type into a console."""
    fields = repr(profile.send.fields) if profile.send else ""
    return "each message, for reports" if "{callback}" in fields or "{inbound}" in fields else "its console"


def _limit(profile: Profile, medium: Medium) -> str:
    most = profile.limits_of(medium)
    files = most.attachments.count if most.attachments else 0
    also = f", {files} file{'s'[: files > 1]}" if files else ""
    return f"{most.text} {_UNITS[most.unit]}{also}"


def _reports(profile: Profile) -> str:
    """What its words lead to, beside failures."""
    known = {each.value for each in Status}
    means = {word for word in profile.words.values() if word in known} | {
        "failed" for word in profile.words.values() if word not in known and word != "none"
    }
    return _listed(each.name for each in Status if each.value in means)


def _inbound(profile: Profile) -> str:
    rules = profile.callbacks.inbound
    if not rules:
        return _NO
    also = {"files": any(each.media for each in rules), "parts": any(each.parts for each in rules)}
    return _listed(["text", *(name for name, there in also.items() if there)])


def _validity(profile: Profile) -> str:
    rule = profile.send.validity if profile.send else None
    if rule is None:
        return _NO
    if rule.unit == "instant":
        return "until a time"
    unit = UNITS[rule.unit].total_seconds()
    least = _span((rule.min or 1) * unit)
    return f"{least} and more" if rule.max is None else f"{least} to {_span(rule.max * unit)}"


def _span(seconds: float) -> str:
    """In the largest unit that needs no fraction."""
    for name, size in (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds % size == 0:
            return f"{seconds / size:g} {name}{'s'[: seconds != size]}"
    return f"{seconds:g} seconds"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or _NO


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
