"""Write the tables of docs/concepts/webhook-receiving.md from the schema of a rule, and from the presets."""

import re
from collections.abc import Iterable
from pathlib import Path

from convergekit.adapters.webhook.mapping import Rule, load, names

PAGE = Path(__file__).parent / "concepts" / "webhook-receiving.md"


def page(text: str) -> str:
    """*text* with its tables as they should be."""
    text = _replaced(text, "rules", "| Key | Meaning |\n|---|---|\n", _rules())
    return _replaced(
        text, "presets", "| Preset | System | Scheme | A call is known by |\n|---|---|---|---|\n", _presets()
    )


def _rules() -> Iterable[str]:
    return (f"| `{name}` | {_coded(field.description or '')} |\n" for name, field in Rule.model_fields.items())


def _presets() -> Iterable[str]:
    for name in names():
        found = load(name)
        title = found.title if found.documentation is None else f"[{found.title}]({found.documentation})"
        scheme = found.scheme or "yours to choose; `standard` unless you do"
        if isinstance(scheme, dict):
            scheme = f"`{scheme['name']}`, {scheme['header']}"
        elif found.scheme:
            scheme = f"`{scheme}`"
        ids = [each for rule in found.messages for each in rule.id] + list(found.call_id)
        told = ", else ".join(f"`{each}`" for each in dict.fromkeys(ids)) or "what the scheme knows"
        yield f"| `{name}` | {title} | {scheme} | {told} |\n"


def _coded(text: str) -> str:
    """Words of the settings, which a docstring has in quotes."""
    return re.sub(r'"([a-z]+)"', r"`\1`", text).replace("|", "\\|")


def _replaced(text: str, name: str, heading: str, rows: Iterable[str]) -> str:
    head, begin, rest = text.partition(f"<!-- {name} -->\n")
    _, end, tail = rest.partition(f"<!-- {name} end -->")
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has lost its markers: {name}")
    return head + begin + heading + "".join(rows) + end + tail


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
