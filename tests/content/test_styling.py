"""Message Styling (XEP-0393): what its readers see is what was meant, in both directions."""

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convergekit.content import _degrade, _styling, markdown, render, styling
from convergekit.content.document import Block, Document
from convergekit.errors import UnsupportedContentError
from convergekit.model import Attachment, AttachmentLimit, Capabilities, Degradation, Markup, Message, Part, TextLimit

from .strategies import texts
from .test_markdown import is_within, sources, visible

STYLED = Capabilities(markup=Markup(format="styling"))

#: What marks are made of, and what may stand beside them.
SIGNS = st.sampled_from(
    ["*", "_", "~", "`", "```", "```\n", ">", "> ", "\n", "\n\n", " ", "  ", "a", "b", "\\", "# ", "- ", "1. ", "["]
)
styled_texts = st.lists(SIGNS, max_size=30).map("".join)


def said(source: str) -> tuple[str, bool, list[Degradation]]:
    """What a channel with styling is handed for *source*, which is Markdown."""
    rendering = render(Message(markdown=source), STYLED)
    (part,) = rendering.parts
    return part.text, part.unstyled, list(rendering.degradations)


def shape(document: Document) -> list[tuple[str, frozenset[str], int, bool]]:
    """Each character to be seen: its marks, how deep it is quoted, and whether it is preformatted."""
    return [
        (character, frozenset(mark.name for mark in span.marks), len(block.path), block.kind == "code_block")
        for block in document.blocks
        for span in block.spans
        for character in span.text
        if not character.isspace()
    ]


class TestReading:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("*strong* _em_ ~s~ `code`", "**strong** *em* ~~s~~ `code`"),
            ("plain *strong* plain", "plain **strong** plain"),
            ("*strong* plain *strong*", "**strong** plain **strong**"),
            ("*strong*plain*", "**strong**plain\\*"),  # lazily
            ("* plain *strong*", "\\* plain **strong**"),
            ("Everyone ~dis~likes cake.", "Everyone ~~dis~~likes cake."),
            ("_full of *strong* words_", "*full of* ***strong*** *words*"),
            ("*`both`*", "**`both`**"),
            ("`*only code*`", "`*only code*`"),
            ("*two\u00a0words*", "**two\u00a0words**"),
            ("> quoted\n> twice\n\nanswer", "> quoted\\\n> twice\n\nanswer"),
            (
                ">> That that is, is.\n> Said the hermit.\n\nWho?",
                "> > That that is, is.\n>\n> Said the hermit.\n\nWho?",
            ),
            ("> *strong*", "> **strong**"),
            ("said:\n> quoted\nand on", "said:\n\n> quoted\n\nand on"),
            ("```\n*code*\n\n  > more\n```\nafter", "```\n*code*\n\n  > more\n```\n\nafter"),
            ("```py\nx = 1\n```", "```py\nx = 1\n```"),
            ("```\nnever closed", "```\nnever closed\n```"),
            ("> ```\n> to the end of the quotation\n\nplain", "> ```\n> to the end of the quotation\n> ```\n\nplain"),
            ("```said like this```", "````\nsaid like this```\n````"),  # nobody's words get lost
            ("a\nb\n\n\nc", "a\\\nb\n\nc"),
        ],
    )
    def test_markdown_shows_what_the_sender_s_client_shows(self, text: str, expected: str) -> None:
        assert styling.to_markdown(text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            *("not strong*", "*not strong", "*not \n strong*", "*not *strong", "**", "***", "****", "* a *", "*a *"),
            *("mid*word*", "snake_case_name", "https://e.org/_a_/b", "(*a*)", "**two**", "a > b", " > a", "5 * 3 * 2"),
        ],
    )
    def test_what_is_no_mark_is_text(self, text: str) -> None:
        """And no mark in Markdown either, where some of it would be one."""
        assert not styling.is_styled(text)
        again = markdown.parse(styling.to_markdown(text))
        assert again.nodes() == frozenset()
        assert visible(again.blocks) == "".join(text.split())

    def test_what_is_markup_in_markdown_only_is_escaped(self) -> None:
        assert styling.to_markdown("# no heading\n- no item\n<b> [l](u)") == (
            "\\# no heading\\\n\\- no item\\\n\\<b\\> \\[l\\](u)"
        )

    def test_whether_anything_is_marked(self) -> None:
        assert styling.is_styled("a *b*")
        assert styling.is_styled("> a")
        assert not styling.is_styled("nothing at all")
        assert not styling.is_styled("")

    @given(st.one_of(styled_texts, texts))
    def test_no_visible_character_but_the_marks_is_lost(self, text: str) -> None:
        shown = visible(styling.parse(text).blocks)

        assert is_within(shown, text)
        left_out = len("".join(text.split())) - len(shown)
        assert left_out <= sum(map(text.count, "*_~`>")) + sum(len(block.info) for block in styling.parse(text).blocks)

    @given(st.one_of(styled_texts, texts))
    def test_the_markdown_has_the_same_text_and_no_other_marks(self, text: str) -> None:
        document = styling.parse(text)
        again = markdown.parse(styling.to_markdown(text))

        assert visible(again.blocks) == visible(document.blocks)
        assert again.nodes() <= document.nodes() <= styling.NODES

    @pytest.mark.parametrize("depth", [10, 24, 25, 3000])
    def test_deep_quotations_lose_nothing(self, depth: int) -> None:
        assert "needle" in styling.to_markdown("> " * depth + "needle")
        assert "needle" in styling.to_markdown(">" * depth + "needle")

    @pytest.mark.parametrize(
        "unit", ["*", "*a", " *a", "_*", " _*~`", "`", "```\n", "> ", ">", ">\n", "> ```\n", " *a _b ~c `d* _ ~"]
    )
    def test_hostile_input_takes_linear_time(self, unit: str) -> None:
        """Eight times the text takes about eight times as long, and not 64 times."""

        def seconds(size: int) -> float:
            begun = time.process_time()
            styling.to_markdown(unit * (size // len(unit)))
            return time.process_time() - begun

        small, large = (min(seconds(size) for _ in range(3)) for size in (12_500, 100_000))
        assert large < 24 * max(small, 0.002)


class TestWriting:
    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("**strong** *em* ~~s~~ `code`", "*strong* _em_ ~s~ `code`"),
            ("***both***", "*_both_*"),
            ("**a *b* c**", "*a _b_ c*"),
            ("**2 * 3** is 6", "*2 * 3* is 6"),
            ("`*args*` and **b**", "`*args*` and *b*"),
            ("use `snake_case` and my_name", "use `snake_case` and my_name"),
            ("> a\n>\n> > **b**\n\nc", "> a\n>\n> > *b*\n\nc"),
            ("```py\nx = 1\n\n  y\n```\nend", "```py\nx = 1\n\n  y\n```\n\nend"),
            ("> ```\n>   x\n> ```", "> ```\n>   x\n> ```"),
        ],
    )
    def test_what_styling_has_marks_for_is_marked(self, source: str, expected: str) -> None:
        text, unstyled, degradations = said(source)

        assert (text, unstyled, degradations) == (expected, False, [])
        assert shape(styling.parse(text)) == shape(markdown.parse(source))

    def test_what_it_has_none_for_is_said_as_in_plain_text_and_reported(self) -> None:
        text, unstyled, degradations = said("# T\n\n- **a**\n- [l](https://e.org)\n\n| a | b |\n|---|---|\n| 1 | 2 |")

        assert text == "T\n\n- *a*\n- l (https://e.org)\n\na | b\n1 | 2"
        assert not unstyled
        assert degradations == [Degradation(what="markup", detail="shown as plain text: heading, link, list, table")]

    def test_what_cannot_be_marked_where_it_stands_is_reported(self) -> None:
        """A mark opens behind white space only."""
        text, unstyled, degradations = said("wo**rd** and **bold**")

        assert (text, unstyled) == ("word and *bold*", False)
        assert degradations == [Degradation(what="markup", detail="shown as plain text: strong")]

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("**a\\*b** _c_", "a*b _c_"),  # around its own sign
            ("`` a`b `` _c_", "a`b _c_"),
            ("\\*x **b**  \n_c_", "*x b\n_c_"),  # the first sign would open what the last one closes
        ],
    )
    def test_what_would_be_read_otherwise_is_not_marked_and_all_else_is(self, source: str, expected: str) -> None:
        text, unstyled, degradations = said(source)

        assert (text, unstyled) == (expected, False)
        assert shape(styling.parse(text))[-1] == ("c", frozenset({"em"}), 0, False)
        assert len(degradations) == 1

    def test_words_that_would_be_read_as_marks_make_all_of_it_plain(self) -> None:
        """There is no escape: either the words change their look, or the marks go."""
        text, unstyled, degradations = said("**a** and \\*b\\*")

        assert (text, unstyled) == ("a and *b*", True)
        assert degradations == [Degradation(what="markup", detail="shown as plain text: strong")]

    @pytest.mark.parametrize("source", ["~~~\n```\n~~~", "**a**\n\n\\> b", "**a**\n\n\\`\\`\\`"])
    def test_nor_do_lines_begin_a_block_by_accident(self, source: str) -> None:
        text, unstyled, _ = said(source)

        assert unstyled
        assert text == markdown.to_text(source)

    def test_policy_refuse_refuses_what_cannot_be_marked(self) -> None:
        with pytest.raises(UnsupportedContentError, match="strong"):
            render(Message(markdown="wo**rd**"), STYLED, policy="refuse")
        assert render(Message(markdown="**word**"), STYLED, policy="refuse").parts[0].text == "*word*"

    def test_nodes_that_the_medium_does_not_show_are_text(self) -> None:
        some = Capabilities(markup=Markup(format="styling", nodes=frozenset({"strong", "link"})))
        rendering = render(Message(markdown="**a** *b* [c](https://e.org)"), some)

        assert rendering.parts[0].text == "*a* b c (https://e.org)"
        assert rendering.degradations[0].detail == "shown as plain text: em, link"

    @given(sources)
    def test_what_is_written_is_read_as_it_was_meant(self, source: str) -> None:
        blocks = _degrade.degraded(markdown.parse(source).blocks, styling.NODES)
        written = _styling.write(blocks)

        again = styling.parse(written.text)

        assert written.unsaid <= styling.NODES
        if written.unstyled or written.unsaid >= Document(tuple(blocks)).nodes():
            assert written.text == _degrade.plain(Document(tuple(blocks)))
            assert written.unstyled or not again.nodes()
        else:
            assert visible(again.blocks) == visible(blocks)
            assert again.nodes() <= Document(tuple(blocks)).nodes()
        if not written.unsaid and not written.unstyled:
            assert shape(again) == shape(Document(tuple(blocks)))

    @given(styled_texts)
    def test_there_and_back_again(self, text: str) -> None:
        """What was styling goes into styling as it was, unless Markdown could not say it."""
        document = styling.parse(text)
        source = styling.to_markdown(text)
        assume(shape(markdown.parse(source)) == shape(document))
        written = _styling.write(_degrade.degraded(markdown.parse(source).blocks, styling.NODES))
        assume(not written.unsaid and not written.unstyled)

        assert shape(styling.parse(written.text)) == shape(document)

    def test_a_document_of_many_marks_takes_seconds(self) -> None:
        begun = time.process_time()
        written = _styling.write(markdown.parse("**a** *b* c ~~d~~ " * 10_000).blocks)

        assert not written.unsaid
        assert time.process_time() - begun < 10


class TestPlainText:
    @pytest.mark.parametrize("text", ["a *b*", "_", "x~", "`", "> a", "a\n> b", "https://e.org/a_b"])
    def test_signs_of_styling_are_declared_to_be_none(self, text: str) -> None:
        assert render(Message(text), STYLED).parts == (Part(text=text, unstyled=True),)

    @pytest.mark.parametrize("text", ["hello", "a > b", "  two  spaces \n\n\n- and lines", "1. x"])
    def test_text_without_them_goes_as_it_is(self, text: str) -> None:
        assert render(Message(text), STYLED).parts == (Part(text=text),)

    @given(texts.filter(str.strip))
    def test_its_look_never_changes(self, text: str) -> None:
        (part,) = render(Message(text), STYLED).parts

        assert part.text == text
        assert part.unstyled or not styling.is_styled(text)

    @pytest.mark.parametrize("form", ["plain", "markdown", "html"])
    def test_other_formats_declare_nothing(self, form: str) -> None:
        channel = Capabilities(markup=Markup.model_validate({"format": form}))
        assert not render(Message("*a*"), channel).parts[0].unstyled

    def test_a_link_and_a_heading_are_plain_too(self) -> None:
        message = Message("t", subject="S", attachments=[Attachment(url="https://e.org/a_b")])
        (part,) = render(message, STYLED.model_copy(update={"attachments": AttachmentLimit()})).parts

        assert part == Part(text="S\nt\nhttps://e.org/a_b", unstyled=True)


class TestLength:
    def test_a_mark_is_closed_before_a_cut_and_opened_behind_it(self) -> None:
        short = STYLED.model_copy(update={"text": TextLimit(max=26)})
        parts = render(Message(markdown="**" + "word " * 8 + "end**"), short).parts

        assert [part.text for part in parts] == ["*word word word word word*", "*word word word end*"]

    def test_each_part_says_for_itself_whether_it_is_styled(self) -> None:
        short = STYLED.model_copy(update={"text": TextLimit(max=12)})
        parts = render(Message("plain words *and* signs"), short).parts

        assert [part.unstyled for part in parts] == [False, True]

    @given(sources, st.integers(40, 120))
    def test_parts_fit_stand_alone_and_lose_nothing(self, source: str, limit: int) -> None:
        document = markdown.parse(source * 3)
        assume(visible(document.blocks))
        short = STYLED.model_copy(update={"text": TextLimit(max=limit)})

        parts = render(Message(markdown=source * 3), short).parts

        assert all(len(part.text) <= limit for part in parts)
        shown = [part.text if part.unstyled else visible(styling.parse(part.text).blocks) for part in parts]
        assert is_within(visible(document.blocks), "".join(shown))


def test_blocks_without_text_are_nothing() -> None:
    assert _styling.write([]).text == ""
    assert _styling.write([Block("paragraph", ())]).text == ""
