"""What a text takes up as SMS: by the standard, by another's figures, and at any length in linear time."""

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content import Segmentation, clusters, gsm7, segmentation, split_segments

from .strategies import texts
from .test_gsm7 import ALPHABET

#: Counted by another's library, of texts of ours: pieces and how often each is repeated, its alphabet, its segments.
FIGURES = json.loads(Path(__file__).with_name("segments_calculator.json").read_text(encoding="utf-8"))
TEXTS = st.one_of(texts, ALPHABET, st.tuples(ALPHABET, texts).map("".join), texts.map(lambda text: text * 20))


@pytest.mark.parametrize(
    ("text", "reference_bits", "expected"),
    [
        ("", 8, Segmentation("gsm7", 1, 0, 160, 160)),
        ("a" * 160, 8, Segmentation("gsm7", 1, 160, 160, 0)),
        ("a" * 161, 8, Segmentation("gsm7", 2, 161, 306, 145)),
        ("€" * 80, 8, Segmentation("gsm7", 1, 160, 160, 0)),
        ("a" * 161, 16, Segmentation("gsm7", 2, 161, 304, 143)),
        ("a" * 305, 16, Segmentation("gsm7", 3, 305, 456, 151)),
        ("я" * 70, 8, Segmentation("ucs2", 1, 70, 70, 0)),
        ("я" * 71, 8, Segmentation("ucs2", 2, 71, 134, 63)),
        ("я" * 133, 16, Segmentation("ucs2", 3, 133, 198, 65)),
        ("€" * 153, 8, Segmentation("gsm7", 3, 306, 459, 151)),  # a septet is left over at the end of each
        ("ç", 8, Segmentation("ucs2", 1, 1, 70, 69)),
    ],
)
def test_what_a_text_takes_up(text: str, reference_bits: Literal[8, 16], expected: Segmentation) -> None:
    assert segmentation(text, reference_bits=reference_bits) == expected


@pytest.mark.parametrize(("recipe", "encoding", "count"), FIGURES["rows"])
def test_others_count_the_same(recipe: list[tuple[str, int]], encoding: str, count: int) -> None:
    found = segmentation("".join(piece * times for piece, times in recipe))

    assert (found.alphabet, found.count) == ({"GSM-7": "gsm7", "UCS-2": "ucs2"}[encoding], count)


@given(TEXTS, st.sampled_from([8, 16]))
def test_segments_are_the_text_and_each_fits(text: str, reference_bits: Literal[8, 16]) -> None:
    found = segmentation(text, reference_bits=reference_bits)
    parts = split_segments(text, reference_bits=reference_bits)

    assert "".join(parts) == text
    assert len(parts) == found.count == gsm7.segments(text, reference_bits=reference_bits)
    sizes = [len(part.encode("utf-16-le")) // 2 if found.alphabet == "ucs2" else gsm7.septets(part) for part in parts]
    assert all(size is not None and size <= found.room // found.count for size in sizes)
    assert sum(size or 0 for size in sizes) == found.used


@given(TEXTS, st.sampled_from([8, 16]))
def test_nothing_is_divided_that_fits_into_a_segment(text: str, reference_bits: Literal[8, 16]) -> None:
    """No surrogate pair, since a part is text; no ESC pair, since each part's septets fit; and no cluster."""
    parts = split_segments(text, reference_bits=reference_bits)
    if gsm7.is_gsm7(text):
        return
    room = gsm7.CONCATENATED[reference_bits][1]
    ends, end = set[int](), 0
    for cluster in clusters(text):
        end += len(cluster)
        ends.add(end)
    if all(len(cluster.encode("utf-16-le")) // 2 <= room for cluster in clusters(text)):
        assert {sum(map(len, parts[: number + 1])) for number in range(len(parts))} <= ends | {0}


@given(TEXTS.filter(lambda text: gsm7.is_gsm7(text)))
def test_so_much_is_left_and_not_one_more(text: str) -> None:
    found = segmentation(text)

    assert segmentation(text + "a" * found.left).count == found.count
    assert segmentation(text + "a" * (found.left + 1)).count == found.count + 1


def test_what_it_costs() -> None:
    assert segmentation("a" * 161).cost("0.0075") == Decimal("0.0150")
    assert segmentation("").cost(Decimal("0.05")) == Decimal("0.05")
    with pytest.raises(TypeError, match="Decimal"):
        segmentation("a").cost(0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("piece", ["a", "a€", "я", "👍🏽", "क्ष", "e\u0301", "\u0301", "🇩🇪"])
def test_it_is_linear(piece: str) -> None:
    """Eight times the text takes about eight times as long, up to a megabyte and under two seconds."""
    small, large = piece * (125_000 // len(piece)), piece * (1_000_000 // len(piece))
    took = [min(_seconds(text) for _ in range(2)) for text in (small, large)]

    assert took[1] < max(0.05, 8 * 3 * took[0])
    assert took[1] < 2


def _seconds(text: str) -> float:
    start = time.process_time()  # others may keep the machine busy
    segmentation(text)
    return time.process_time() - start
