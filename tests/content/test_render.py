"""A message, and what a channel can carry: finished parts, and an honest report."""

import subprocess
import sys
import time
from typing import Literal
from unittest import mock

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convergekit.content import Unit, html, length, markdown, render
from convergekit.errors import UnsupportedContentError
from convergekit.model import Attachment, AttachmentLimit, Capabilities, Degradation, Markup, Message, TextLimit

from .strategies import texts
from .test_markdown import ALL, is_within, sources, visible

PLAIN = Capabilities()
RICH = Markup(format="html")
SECRET = "the-word-that-nobody-may-see"


def short(maximum: int, unit: Unit = "codepoint", **fields: object) -> Capabilities:
    limit = {name: fields.pop(name) for name in ("overflow", "max_parts") if name in fields}
    return Capabilities.model_validate({"text": {"max": maximum, "unit": unit, **limit}, **fields})


def reported(message: Message, capabilities: Capabilities) -> dict[str, str]:
    return {each.what: each.severity for each in render(message, capabilities).degradations}


class TestForms:
    """Text, Markdown and HTML are forms of one content, and a channel gets the one that it shows best."""

    def test_plain_text_goes_as_it_is(self) -> None:
        rendering = render(Message("  a *b* \r\n"), PLAIN)

        assert [part.text for part in rendering.parts] == ["  a *b* \r\n"]
        assert rendering.degradations == ()

    def test_what_the_author_wrote_is_not_derived_anew(self) -> None:
        message = Message("mine", markdown="**other**", html="<b>third</b>")

        assert render(message, PLAIN).parts[0].text == "mine"
        assert render(message, Capabilities(markup=Markup(format="markdown"))).parts[0].text == "**other**"
        assert render(message, Capabilities(markup=RICH)).parts[0].text == "<b>third</b>"
        assert render(message, PLAIN).degradations == ()

    @pytest.mark.parametrize("form", ["plain", "markdown", "html"])
    @pytest.mark.parametrize(
        "given", [{"text": "a <b> & *c*"}, {"markdown": "a \\<b> & \\*c\\*"}, {"html": "a &lt;b> &amp; *c*"}]
    )
    def test_each_form_is_derived_from_each(
        self, given: dict[str, str], form: Literal["plain", "markdown", "html"]
    ) -> None:
        source = render(Message.model_validate(given), Capabilities(markup=Markup(format=form))).parts[0].text
        shown = {"plain": str, "markdown": markdown.to_text, "html": html.to_text}[form](source)

        assert shown == "a <b> & *c*"

    @given(
        st.text("ab .,-+#=:12)\"'\t\u00a0\u2028\r\n*\\é", max_size=12) | texts,
        st.none() | st.sampled_from(["Re: *you*", "1. hi"]),
        st.sampled_from([None, frozenset({"strong"})]),
        st.integers(1, 30),
    )
    def test_plain_text_without_markup_is_markdown_as_it_stands(
        self, text: str, subject: str | None, nodes: frozenset[str] | None, most: int
    ) -> None:
        """The short way, which most messages take, comes to the same as the long one."""
        message = Message(text, subject=subject, attachments=[Attachment(url="https://example.org/a", name="a")])
        channel = Capabilities(markup=Markup(format="markdown", nodes=nodes), text=TextLimit(max=40 * most))
        short = render(message, channel)
        with mock.patch("convergekit.content._markdown.is_source", return_value=False):
            assert render(message, channel) == short

    def test_html_stands_beside_text_where_the_author_wrote_marks(self) -> None:
        both = Capabilities(markup=Markup(html_alternative=True))

        part = render(Message(markdown="**a**"), both).parts[0]
        assert (part.text, part.html) == ("a", "<p><strong>a</strong></p>")
        part = render(Message("t", html="<i>own</i>"), both).parts[0]
        assert (part.text, part.html) == ("t", "<i>own</i>")
        assert render(Message("t"), both).parts[0].html is None
        assert render(Message(markdown="**a**"), both).degradations == ()

    def test_marks_that_are_lost_are_reported(self) -> None:
        assert reported(Message(markdown="**a**"), PLAIN) == {"markup": "lossy"}
        assert reported(Message(markdown="- a\n- [b](http://e.org)"), PLAIN) == {"markup": "lossless"}
        assert reported(Message(html="a<video></video>"), PLAIN) == {"markup": "lossy"}
        assert reported(Message(markdown="**a**"), Capabilities(markup=Markup(format="html", nodes=frozenset()))) != {}
        assert reported(Message(markdown="a"), PLAIN) == {}


class TestFrame:
    """Subject, further recipients, references."""

    def test_a_subject_goes_where_it_belongs_or_before_the_text(self) -> None:
        message = Message("text", subject="Subject")

        part = render(message, Capabilities(subject=True)).parts[0]
        assert (part.subject, part.text) == ("Subject", "text")
        part = render(message, PLAIN).parts[0]
        assert (part.subject, part.text) == (None, "Subject\ntext")
        assert reported(message, PLAIN) == {"subject": "lossless"}

    @pytest.mark.parametrize(
        ("form", "expected"),
        [
            ("html", "<html><body class='x'><p>A &lt; *b*</p><p>t</p></body></html>"),
            ("markdown", "A \\< \\*b\\*\n\n_t_"),
        ],
    )
    def test_a_subject_is_escaped(self, form: Literal["html", "markdown"], expected: str) -> None:
        message = Message(subject="A < *b*", markdown="_t_", html="<html><body class='x'><p>t</p></body></html>")

        assert render(message, Capabilities(markup=Markup(format=form))).parts[0].text == expected

    def test_what_cannot_be_said_of_a_message_is_reported(self) -> None:
        message = Message("t", cc=["mailto:ann@example.org"], thread="1", reply_to="2")

        assert reported(message, PLAIN) == {"cc": "lossy", "thread": "lossy", "reply_to": "lossy"}
        assert reported(message, Capabilities(cc=True, threads=True, replies=True)) == {}
        assert reported(Message("t", to=["mailto:ann@example.org"]), PLAIN) == {"cc": "lossy"}


class TestAttachments:
    def test_they_go_with_the_last_text_and_the_rest_behind_it(self) -> None:
        files = [Attachment(data=bytes([n]), name=f"{n}.bin") for n in range(3)]
        rendering = render(Message("a" * 15, attachments=files), short(10, attachments=AttachmentLimit(count=2)))

        assert [(part.text, len(part.attachments)) for part in rendering.parts] == [
            ("a" * 10, 0),
            ("a" * 5, 2),
            ("", 1),
        ]
        assert {each.what for each in rendering.degradations} == {"attachment", "length"}

    def test_a_link_stands_behind_the_text(self) -> None:
        message = Message(
            "t", markdown="t", html="<body>t</body>", attachments=[Attachment(url="https://e.org/f", name="f.pdf")]
        )

        assert render(message, PLAIN).parts[0].text == "t\nf.pdf: https://e.org/f"
        shown = render(message, Capabilities(markup=RICH)).parts[0].text
        assert shown == '<body>t<p>f.pdf: <a href="https://e.org/f">https://e.org/f</a></p></body>'
        assert reported(message, PLAIN) == {"attachment": "lossless"}

    def test_an_attachment_alone_is_a_message(self) -> None:
        part = render(
            Message(attachments=[Attachment(data=b"x")]), Capabilities(attachments=AttachmentLimit(count=1))
        ).parts[0]

        assert (part.text, len(part.attachments)) == ("", 1)


class TestPolicy:
    LOSSY = Message(markdown=f"**{SECRET}**", subject=SECRET, thread="t")

    def test_allow_says_nothing(self) -> None:
        rendering = render(self.LOSSY, PLAIN, policy="allow")

        assert rendering.degradations == ()
        assert rendering.parts == render(self.LOSSY, PLAIN, policy="warn").parts

    def test_refuse_names_what_would_be_lost_and_shows_no_content(self) -> None:
        with pytest.raises(UnsupportedContentError) as caught:
            render(self.LOSSY, PLAIN, policy="refuse")

        assert "thread" in str(caught.value)
        assert "strong" in str(caught.value)
        assert "subject" not in str(caught.value)  # nothing of it is lost
        assert SECRET not in str(caught.value)

    def test_refuse_lets_pass_what_loses_nothing(self) -> None:
        message = Message("a" * 12, subject="S", attachments=[Attachment(url="https://e.org/f")])

        assert len(render(message, short(16), policy="refuse").parts) > 1

    @pytest.mark.parametrize("policy", ["allow", "warn", "refuse"])
    @pytest.mark.parametrize(
        ("message", "capabilities", "reason"),
        [
            (Message(), PLAIN, "nothing to say"),
            (Message(" \n\t"), PLAIN, "nothing to say"),
            (Message(html="<script>x</script>"), PLAIN, "nothing to say"),
            (Message(SECRET, attachments=[Attachment(data=b"x")]), PLAIN, "takes no attachments"),
            (Message(SECRET), short(5, overflow="refuse"), "longer than one part of at most 5 characters"),
            (Message(SECRET), short(5, "byte", overflow="refuse"), "longer than one part of at most 5 bytes"),
            (Message(markdown=SECRET), short(5, overflow="refuse", markup=RICH), "longer than one part of at most 5"),
            (Message(SECRET), short(5, max_parts=2), "longer than max_parts = 2 parts of at most 5"),
            (Message("😀"), short(3, "byte"), "limit is too small"),
            (Message(markdown="a"), short(3, markup=RICH), "limit is too small"),
        ],
    )
    def test_what_cannot_be_said_at_all_raises_whatever_the_policy(
        self, message: Message, capabilities: Capabilities, reason: str, policy: Literal["allow", "warn", "refuse"]
    ) -> None:
        with pytest.raises(UnsupportedContentError, match=reason) as caught:
            render(message, capabilities, policy=policy)

        assert SECRET not in str(caught.value)

    def test_a_message_may_be_native_or_a_subject_only(self) -> None:
        assert render(Message(native={"x": {"poll": 1}}), PLAIN).parts[0].text == ""
        assert render(Message(subject="S"), Capabilities(subject=True)).parts[0].subject == "S"


class TestLength:
    @given(texts.filter(str.strip), st.sampled_from(["codepoint", "utf16", "byte", "gsm7"]), st.integers(4, 50))
    def test_every_part_fits_and_nothing_is_lost(self, text: str, unit: Unit, limit: int) -> None:
        try:
            rendering = render(Message(text), short(limit, unit))
        except UnsupportedContentError:
            assume(False)

        assert all(length(part.text, unit) <= limit for part in rendering.parts)
        assert without_space("".join(part.text for part in rendering.parts)) == without_space(text)
        assert len(rendering.parts) == 1 or Degradation(
            what="length", detail=f"sent in {len(rendering.parts)} parts", severity="lossless"
        ) in rendering.degradations  # fmt: skip

    @given(
        sources,
        st.frozensets(st.sampled_from(sorted(ALL))),
        st.integers(40, 120),
        st.sampled_from(["html", "markdown"]),
    )
    def test_formatted_parts_fit_stand_alone_and_lose_nothing(
        self, source: str, nodes: frozenset[str], limit: int, form: Literal["html", "markdown"]
    ) -> None:
        """Each part is read on its own: marks left open would show, or be missing."""
        document = markdown.parse(source * 3)
        assume(visible(list(document.blocks)))
        read = {"html": html.parse, "markdown": markdown.parse}[form]

        parts = render(Message(markdown=source * 3), short(limit, markup=Markup(format=form, nodes=nodes))).parts

        assert all(len(part.text) <= limit for part in parts)
        again = [read(part.text) for part in parts]
        assert is_within(visible(list(document.blocks)), "".join(visible(list(each.blocks)) for each in again))
        assert frozenset().union(*(each.nodes() for each in again)) <= nodes | document.nodes()
        if form == "html":
            assert all(balanced(part.text) for part in parts)

    def test_a_mark_is_closed_before_a_cut_and_opened_behind_it(self) -> None:
        message = Message(markdown="**" + "word " * 8 + "end**")
        parts = render(message, short(28, markup=Markup(format="markdown"))).parts

        assert [part.text for part in parts] == ["**word word word word word**", "**word word word end**"]

    def test_a_link_is_whole_in_each_part(self) -> None:
        message = Message(markdown="[" + "word " * 8 + "](https://e.org)")
        parts = render(message, short(60, markup=RICH)).parts

        assert len(parts) == 2
        assert all('<a href="https://e.org">' in part.text and "</a>" in part.text for part in parts)

    def test_a_link_that_would_fill_each_part_is_text(self) -> None:
        url = "https://e.org/" + "x" * 40
        parts = render(Message(markdown=f"[{'word ' * 20}]({url})"), short(80, markup=RICH)).parts

        assert sum(url in part.text for part in parts) == 1

    def test_a_list_goes_on_with_its_numbers(self) -> None:
        message = Message(markdown="3. " + "a" * 30 + "\n4. " + "b" * 30)
        parts = render(message, short(40, markup=Markup(format="markdown"))).parts

        assert [part.text[:3] for part in parts] == ["3. ", "4. "]

    def test_a_measure_of_the_channel_s_own(self) -> None:
        """A link counts as two, however long it is."""

        def weighed(text: str) -> int:
            return sum(2 if word.startswith("https://") else len(word) for word in text.split())

        text = "see https://example.org/a/long/path/to/it now " * 4
        parts = render(Message(text), short(20), measure=weighed).parts

        assert len(parts) == 2
        assert all(weighed(part.text) <= 20 for part in parts)

    def test_a_measure_that_contradicts_itself_is_found_out(self) -> None:
        with pytest.raises(UnsupportedContentError, match="measure"):
            render(Message("a b " * 50), short(20), measure=lambda text: 21 if text.endswith("b") else len(text))

    def test_html_that_cannot_be_cut_with_its_text_is_left_out_and_reported(self) -> None:
        rendering = render(Message("word " * 10, html="<b>x</b>"), short(20, markup=Markup(html_alternative=True)))

        assert [part.html for part in rendering.parts] == [None] * 3
        assert {each.what: each.severity for each in rendering.degradations} == {
            "markup": "lossy",
            "length": "lossless",
        }

    def test_an_sms_may_be_gsm_in_one_part_and_ucs2_in_the_next(self) -> None:
        parts = render(Message("a" * 160 + " " + "я" * 70), short(160, "gsm7")).parts

        assert [part.text for part in parts] == ["a" * 160, "я" * 70]


class TestSize:
    @pytest.mark.parametrize("form", ["plain", "markdown", "html"])
    def test_a_megabyte_takes_seconds(self, form: Literal["plain", "markdown", "html"]) -> None:
        text = "Hello wörld, this is 日本語 and 👍🏽 text. " * 9_000
        begun = time.process_time()
        parts = render(Message(text), short(2048, "utf16", markup=Markup(format=form))).parts

        assert len(parts) > 150
        assert time.process_time() - begun < 20

    def test_one_paragraph_of_many_marks_takes_seconds(self) -> None:
        begun = time.process_time()
        parts = render(Message(markdown="**a** b _c_ " * 4_000), short(500, markup=RICH, max_parts=None)).parts

        assert len(parts) > 100
        assert time.process_time() - begun < 20


def test_importing_it_is_cheap() -> None:
    """Most messages are plain text, and need neither a Markdown parser nor a regular expression library."""
    heavy = "{'markdown_it', 'regex', 'html.parser'}"
    code = f"import sys, convergekit.content as c; c.render; print({heavy} & {{*sys.modules}})"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert answer.stdout.strip() == "set()"


def without_space(text: str) -> str:
    return "".join(text.replace("\u200b", "").split())


def balanced(source: str) -> bool:
    from html.parser import HTMLParser

    stack: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in {"br", "hr", "img"}:
                stack.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert stack.pop() == tag

    reader = Reader()
    reader.feed(source)
    reader.close()
    return not stack
