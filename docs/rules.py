"""Write the pages of rules from their tables: docs/plugins/rules.md, docs/plugins/store-rules.md."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from convergekit.testing import adapter, store
from convergekit.testing.store import Rule

FOLDER = Path(__file__).parent / "plugins"
PAGE, STORE_PAGE, CONTRACT = FOLDER / "rules.md", FOLDER / "store-rules.md", FOLDER / "contract.md"
BEGIN = "<!-- Written by docs/rules.py from the table of rules; do not edit below. -->\n"


def anchors() -> dict[str, str]:
    """The headings of the contract, by their anchors."""
    titles = [line.lstrip("# ") for line in CONTRACT.read_text(encoding="utf-8").splitlines() if line.startswith("##")]
    return {_anchor(title): title.replace("`", "") for title in titles}


def page(text: str) -> str:
    """*text* of the page of an adapter's rules, with these as they are."""
    titles = anchors()
    return _below(text, ((topic, titles[topic]) for topic in titles), adapter.RULES, _with_link)


def store_page(text: str) -> str:
    """*text* of the page of a store's rules, with these as they are."""
    topics = dict.fromkeys(rule.topic for rule in store.RULES.values())
    return _below(text, ((topic, topic) for topic in topics), store.RULES, lambda topic: "")


def _below(text: str, topics: Iterable[tuple[str, str]], rules: Mapping[str, Rule], more: Callable[[str], str]) -> str:
    head, begin, _ = text.partition(BEGIN)
    if not begin:
        raise ValueError(f"a page of rules has lost its marker: {BEGIN.strip()}")
    for topic, title in topics:
        listed = [rule for rule in rules.values() if rule.topic == topic]
        if listed:
            begin += f"\n## {title}\n{more(topic)}"
        for rule in listed:
            begin += f"\n### {rule.id}\n\n{rule.demand}\n\n*Why:* {rule.why}\n"
    return head + begin


def _with_link(topic: str) -> str:
    return f"\nSee [the contract](contract.md#{topic}).\n"


def _anchor(title: str) -> str:
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.strip().replace(" ", "-")


if __name__ == "__main__":
    for path, write in ((PAGE, page), (STORE_PAGE, store_page)):
        path.write_text(write(path.read_text(encoding="utf-8")), encoding="utf-8")
