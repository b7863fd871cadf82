"""Write docs/plugins/rules.md from the table of rules."""

from pathlib import Path

from convergekit.testing.adapter import RULES

PAGE = Path(__file__).parent / "plugins" / "rules.md"
CONTRACT = PAGE.with_name("contract.md")
BEGIN = "<!-- Written by docs/rules.py from the table of rules; do not edit below. -->\n"


def anchors() -> dict[str, str]:
    """The headings of the contract, by their anchors."""
    titles = [line.lstrip("# ") for line in CONTRACT.read_text(encoding="utf-8").splitlines() if line.startswith("##")]
    return {_anchor(title): title.replace("`", "") for title in titles}


def page(text: str) -> str:
    """*text* with the rules as they are."""
    head, begin, _ = text.partition(BEGIN)
    if not begin:
        raise ValueError(f"{PAGE.name} has lost its marker: {BEGIN.strip()}")
    titles, sections = anchors(), ""
    for topic, title in titles.items():
        rules = [rule for rule in RULES.values() if rule.topic == topic]
        if rules:
            sections += f"\n## {title}\n\nSee [the contract](contract.md#{topic}).\n"
        for rule in rules:
            sections += f"\n### {rule.id}\n\n{rule.demand}\n\n*Why:* {rule.why}\n"
    return head + BEGIN + sections


def _anchor(title: str) -> str:
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.strip().replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
