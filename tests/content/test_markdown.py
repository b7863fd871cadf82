"""Markdown becomes what a channel can show, and nobody's words get lost on the way."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content import _degrade, _markdown, html, markdown
from convergekit.content.document import Block

ALL = frozenset(
    {"strong", "em", "s", "code", "code_block", "link", "image", "heading", "list", "blockquote", "hr", "table"}
)

#: Words that cannot be taken for markup, between pieces of markup that can.
MARKUP = st.sampled_from(
    [
        *(
            "*",
            "**",
            "_",
            "~~",
            "`",
            "``",
            "[",
            "](http://e.org)",
            "![",
            ")",
            "<",
            ">",
            "&",
            "\\",
            "|",
            "#",
            "# ",
            "- ",
        ),
        *(
            "1. ",
            "> ",
            "\n",
            "\n\n",
            "  \n",
            "    ",
            "```\n",
            "---",
            "===",
            "| a | b |\n|---|---|\n",
            "\\\n",
            "<b>",
            "!",
        ),
        *(
            "[x]: http://e.org\n",
            "[x]",
            "http://e.org",
            "\t",
            '"',
            "(",
            "$",
            "+",
            "1)",
            ":-",
            "&amp;",
            "<http://e.org>",
        ),
    ]
)
LETTERS = st.sampled_from(["abc", "d", "é", "日本", "x1", "👍🏽", " ", "."])
sources = st.lists(st.one_of(MARKUP, LETTERS), max_size=25).map("".join)


def visible(blocks: tuple[Block, ...] | list[Block]) -> str:
    """What there is to see, white space aside."""
    return "".join("".join(block.text for block in blocks).split())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Hello **big** _world_", "Hello big world"),
        ("# Title\n\ntext", "Title\n\ntext"),
        ("[the site](https://e.org/a)", "the site (https://e.org/a)"),
        ("<https://e.org/a>", "https://e.org/a"),
        ("<ann@example.org>", "ann@example.org"),
        ("[a **b** c](https://e.org)", "a b c (https://e.org)"),
        ("![a cat](https://e.org/c.png)", "a cat (https://e.org/c.png)"),
        ("- one\n- two\n  - three", "- one\n- two\n  - three"),
        ("3. one\n4. two", "3. one\n4. two"),
        ("- one\n\n  more\n\n- two", "- one\n\n  more\n\n- two"),
        ("> said\n> twice", "> said\n> twice"),
        ("```py\nx = 1\n\ny = 2\n```", "x = 1\n\ny = 2"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a | b\n1 | 2"),
        ("a\n\n---\n\nb", "a\n\n---\n\nb"),
        ("a  \nb\nc", "a\nb\nc"),
        ("~~no~~ `code`", "no code"),
        ("5 < 6 &amp; \\*not em\\*", "5 < 6 & *not em*"),
        ("<b>raw</b>", "<b>raw</b>"),
        ("", ""),
        ("![Our logo](cid:logo)", "Our logo"),  # it goes with the message
    ],
)
def test_plain_text(source: str, expected: str) -> None:
    assert markdown.to_text(source) == expected


def test_html_is_whole_and_safe() -> None:
    source = "# T\n\n**b** <script>x</script> [l](https://e.org/?a=1&b=2) [bad](javascript:alert(1))"

    assert markdown.to_html(source) == (
        "<h1>T</h1>\n<p><strong>b</strong> &lt;script&gt;x&lt;/script&gt; "
        '<a href="https://e.org/?a=1&amp;b=2">l</a> [bad](javascript:alert(1))</p>'
    )


def test_only_the_nodes_that_the_channel_shows_are_used() -> None:
    source = "# T\n\n- **a** _b_\n- [c](https://e.org)"

    assert markdown.to_html(source, frozenset({"strong"})) == (
        "<p>T</p>\n<p>- <strong>a</strong> b<br>\n- c (https://e.org)</p>"
    )
    assert markdown.to_subset(source, frozenset({"list", "link"})) == "T\n\n- a b\n- [c](https://e.org)"


def test_what_would_be_read_as_markup_is_escaped() -> None:
    assert markdown.to_subset("- a\n\n1 \\* 2", frozenset({"strong"})) == "\\- a\n\n1 \\* 2"


def test_a_definition_that_nothing_refers_to_is_text() -> None:
    """CommonMark hides it: somebody's "[note]: late" would never arrive."""
    assert markdown.to_text("[note]: late") == "[note]: late"
    assert markdown.to_text("see [it]\n\n[it]: https://e.org") == "see it (https://e.org)"


@pytest.mark.parametrize("depth", [10, 15, 30, 200, 3000])
def test_nothing_is_lost_however_deep(depth: int) -> None:
    """The parser leaves out what is beyond its limit."""
    assert "needle" in markdown.to_text("> " * depth + "needle")
    assert "needle" in markdown.to_text("\n".join("  " * level + "- x" for level in range(depth // 10)) + " needle")
    assert "needle" in markdown.to_text("*a " * depth + "needle" + "*" * depth)
    assert "needle" in markdown.to_text("[" * depth + "needle" + "](http://e.org)" * depth)


@given(sources, st.frozensets(st.sampled_from(sorted(ALL))))
def test_no_visible_character_is_lost(source: str, nodes: frozenset[str]) -> None:
    """Every word of the source is in every form; the words of links' targets and of fences aside."""
    document = markdown.parse(source)
    shown = visible(list(document.blocks))

    plain = _degrade.plain(document)
    assert is_within(shown, plain)
    assert is_within(shown, visible(_degrade.degraded(document.blocks, nodes)))


@given(sources, st.frozensets(st.sampled_from(sorted(ALL))))
def test_written_markdown_reads_the_same(source: str, nodes: frozenset[str]) -> None:
    blocks = _degrade.degraded(markdown.parse(source).blocks, nodes)

    again = markdown.parse(_markdown.write(blocks))

    assert visible(list(again.blocks)) == visible(blocks)
    assert again.nodes() <= nodes


@given(sources)
def test_written_html_reads_the_same(source: str) -> None:
    document = markdown.parse(source)

    again = html.parse(markdown.to_html(source))

    assert visible(list(again.blocks)) == visible(list(document.blocks))


def is_within(needle: str, text: str) -> bool:
    """Whether the characters of *needle* occur in *text* in that order."""
    characters = iter(text)
    return all(character in characters for character in needle)


@pytest.mark.parametrize(
    "unit", ["[", "![", "*a", "`", "> ", "- a\n", "|a|\n", "a\n", "<", "&", "[a](", "[a]: b\n\n", "_*"]
)
def test_hostile_input_takes_linear_time(unit: str) -> None:
    """Eight times the text takes about eight times as long, and not 64 times."""

    def seconds(size: int) -> float:
        begun = time.process_time()
        markdown.to_text(unit * (size // len(unit)))
        return time.process_time() - begun

    small = min(seconds(2_000), seconds(2_000))  # below two milliseconds the clock says little
    assert seconds(16_000) < 24 * max(small, 0.002)
