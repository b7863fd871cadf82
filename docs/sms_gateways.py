"""Write the tables of gateways of docs/adapters/sms.md from their profiles."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from convergekit.adapters.sms import profiles
from convergekit.adapters.sms.profile import Limits, Profile
from convergekit.model import Status

PAGE = Path(__file__).parent / "adapters" / "sms.md"
BEGIN = "<!-- Written by docs/sms_gateways.py; do not edit these tables. -->\n"
END = "<!-- End of the tables. -->\n"

_MEDIA: Mapping[str, str] = {"sms": "SMS", "mms": "MMS", "whatsapp": "WhatsApp", "rcs": "RCS"}
_UNITS: Mapping[str, str] = {"gsm7": "septets", "codepoint": "characters", "utf16": "UTF-16 units", "byte": "bytes"}
_NO = "–"


def page(text: str) -> str:
    """*text* with the tables as they should be."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} has lost its markers: {BEGIN.strip()} and {END.strip()}")
    ours = ours_by_name()
    return f"{head}{BEGIN}\n{table(ours)}\n{settings(ours)}\n{END}{tail}"


def ours_by_name() -> Sequence[Profile]:
    """The gateways that come with convergekit."""
    return [profiles.load(name) for name in profiles.names(installed=lambda: ())]


def table(gateways: Sequence[Profile]) -> str:
    """One row for each of *gateways*."""
    columns = [_row(each) for each in gateways]
    head = "| | " + " | ".join(columns[0]) + f" |\n|---|{'---|' * len(columns[0])}\n"
    return head + "".join(
        f"| {_named(each)} | " + " | ".join(row.values()) + " |\n" for each, row in zip(gateways, columns, strict=True)
    )


def settings(gateways: Sequence[Profile]) -> str:
    """What the account of each of *gateways* says."""
    rows = [
        f"| `{profile.name}` | `{name}` | {setting.description} | {_default(setting.required, setting.default)} |\n"
        for profile in gateways
        for name, setting in profile.settings.items()
    ]
    return "| Gateway | Setting | Is | Default |\n|---|---|---|---|\n" + "".join(rows)


def _default(required: bool, default: str | None) -> str:
    return f"`{default}`" if default is not None else "" if required else "none"


def _named(profile: Profile) -> str:
    title = f"[{profile.title}]({profile.documentation})" if profile.documentation else profile.title
    return f"{title} `{profile.name}`"


def _row(profile: Profile) -> Mapping[str, str]:
    return {
        "carries": _listed(_MEDIA[each] for each in profile.media),
        "text": _by_medium(profile, _text),
        "files": _by_medium(profile, _files),
        "reports": _reports(profile),
        "comes in": _inbound(profile),
        "proof of a call": _listed([*(f"`{each.scheme}`" for each in profile.verify), "token"]),
        "validity": _validity(profile),
        "knows a repeat": "by its key" if profile.send and profile.send.idempotency else _NO,
    }


def _by_medium(profile: Profile, shown: Callable[[Limits], str]) -> str:
    """What *shown* says of each medium, or once where it is the same for all."""
    said = {_MEDIA[each]: shown(profile.limits_of(each)) for each in profile.media}
    told = {name: text for name, text in said.items() if text != _NO}
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return _listed(f"{name} {text}" for name, text in told.items())


def _text(limits: Limits) -> str:
    return f"{limits.text} {_UNITS[limits.unit]}"


def _files(limits: Limits) -> str:
    return _NO if limits.attachments is None else f"up to {limits.attachments.count}"


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
    also = [
        ("files", any(each.media for each in rules)),
        ("parts, put together here", any(each.parts for each in rules)),
    ]
    return _listed(["text", *(name for name, there in also if there)])


def _validity(profile: Profile) -> str:
    rule = profile.send.validity if profile.send else None
    if rule is None:
        return _NO
    if rule.unit == "instant":
        return "a time"
    ends = f"{rule.min or 1} to {rule.max} " if rule.max else ""
    return f"{ends}{rule.unit}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or _NO


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
