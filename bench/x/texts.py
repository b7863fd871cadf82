"""A text of 280 is weighed, and its links are found, as often as somebody types a letter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version

from twitter_text import extract_urls_with_indices, parse_tweet

from convergekit.content.twitter_text import entities, parse

from ..measure import Effort, Goal, Line, Side, Timer, compare

__all__ = ["TEXTS", "run"]

#: Each weighs between 260 and 275, before its number.
TEXTS = {
    "plain": ("Your parcel is on its way, and will be with you on Tuesday. Please have 4.50 ready. " * 4)[:270],
    "with links": (
        "We have written down how it goes: https://example.org/help/parcels?from=x&lang=en and, for those who "
        "return something, example.com/returns. What others ask is at https://answers.example.net/q/4711#top. "
        "Thank you, and sorry for the wait; we are on it now, and tell you as soon as we have heard of it."
    ),
    "with emoji": ("Thank you 🙏🏽 for telling us 👨‍👩‍👧‍👦! It is on its way 📦🚚, see you soon 👋. " * 5)[:275],
    "in Chinese": ("感谢您告诉我们。您的包裹已经在路上，将于星期二上午九点到十二点之间送达。" * 4)[:135],
}
PEER = f"twitter-text-parser {version('twitter-text-parser')}"
#: Five times as fast.
GOAL = Goal("<=", 0.2)
STEPS: dict[str, tuple[Callable[[str], object], Callable[[str], object]]] = {
    "weighed": (parse, parse_tweet),
    "weighed, and its links found": (
        lambda text: (parse(text), entities(text)),
        lambda text: (parse_tweet(text), extract_urls_with_indices(text)),
    ),
}


async def run(effort: Effort) -> Iterator[Line]:
    """Ours finds mentions, hashtags and cashtags, too; theirs does not look for them."""
    items = effort.items(1_000, at_least=20)
    sides: dict[str, Side] = {}
    for step, (ours, theirs) in STEPS.items():
        for name, text in TEXTS.items():
            sides[f"ours {step} {name}"] = _calling(ours, text, items)
            sides[f"theirs {step} {name}"] = _calling(theirs, text, items)
    cpu = await compare(sides, effort.rounds)
    return iter(
        [
            Line.of(
                f"a text of 280, {name}, is {step} (us CPU)",
                cpu[f"ours {step} {name}"],
                PEER,
                cpu[f"theirs {step} {name}"],
                GOAL,
            )
            for step in STEPS
            for name in TEXTS
        ]
    )


def _calling(step: Callable[[str], object], text: str, items: int) -> Side:
    # Another one each time, for what was seen before might be remembered.
    texts = [f"{number:04d} {text}" for number in range(items)]

    async def one_round() -> float:
        with Timer(items) as timer:
            for each in texts:
                step(each)
        return timer.figure

    return one_round
