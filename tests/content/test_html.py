"""HTML from anybody becomes what its reader would have seen."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content import _tags, html

MARKUP = st.sampled_from(
    [
        *("<b>", "</b>", "<i>", "<a href='http://e.org'>", "</a>", "<p>", "</p>", "<div>", "</div>", "<br>", "<hr>"),
        *(
            "<ul>",
            "</ul>",
            "<ol start=3>",
            "</ol>",
            "<li>",
            "</li>",
            "<table>",
            "</table>",
            "<tr>",
            "</tr>",
            "<td>",
            "<th>",
        ),
        *(
            "</td>",
            "<blockquote>",
            "</blockquote>",
            "<pre>",
            "</pre>",
            "<h1>",
            "</h1>",
            "<code>",
            "<img alt=x src=http://e/>",
        ),
        *(
            "<",
            ">",
            "</",
            "<!",
            "<!--",
            "-->",
            "<?",
            '"',
            "'",
            "=",
            "&amp;",
            "&lt;",
            "&#0;",
            "&#xd800;",
            "&nbsp;",
            " ",
            "\n",
        ),
        *("<a x='>", '<a x=">', "<b ", "<b/", "<![CDATA[", "]]>", "<p class=it's>", "</x>", "<x-y>", "\x0b"),
    ]
)
sources = st.lists(st.one_of(MARKUP, st.sampled_from(["word", "né", "日本", " "])), max_size=40).map("".join)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", "plain"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("a<br>b", "a\nb"),
        ("  a \n  <b> b </b>  c ", "a b c"),
        ("<a href='https://e.org/a?b=1&amp;c=2'>site</a>", "site (https://e.org/a?b=1&c=2)"),
        ("<a href=https://e.org/>https://e.org</a>", "https://e.org"),
        ("<a href='java\nscript:alert(1)'>bad</a>", "bad"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", "- a\n- b\n  - c"),
        ("<ol start=4><li>a</li><li value=9>b</li><li>c</li></ol>", "4. a\n9. b\n10. c"),
        ("<ol><li><p>a</p><p>b</p></li></ol>", "1. a\n\n   b"),
        ("<li>alone", "- alone"),
        ("<blockquote>said<br>twice</blockquote>", "> said\n> twice"),
        ("<table><tr><th>a<th>b<tr><td>1<td></table>", "a | b\n1 | "),
        ("<table><tr><td><table><tr><td><p>Dear Ann,</p><p>hello</table></table>", "Dear Ann,\n\nhello"),
        ("<pre>\n a\n   b</pre>", " a\n   b"),
        ("<h1>T</h1>x", "T\n\nx"),
        ("<img src=https://e.org/c.png alt='a cat'>", "a cat (https://e.org/c.png)"),
        ("a<img src=https://e.org/pixel.gif>b", "ab"),
        ("<style>p{}</style><script>if (a<b) '</p>'</script><title>t</title>x<!-- no -->", "x"),
        ("<SCRIPT>x</SCRIPT >y", "y"),
        ("<script>never closed", ""),
        ("<title>never closed", "never closed"),
        ("a <!-- never closed", "a <!-- never closed"),
        ("3 < 4 && 5 > 4", "3 < 4 && 5 > 4"),
        ("&lt;b&gt; &amp;amp; &#8364; &nope;", "<b> &amp; € &nope;"),
        ("<p class=it's>don't</p> <b title='a > b'>x</b>", "don't\n\nx"),
        ("<!doctype html><?xml version='1.0'?><html><body>x</body></html>", "x"),
        ("", ""),
    ],
)
def test_plain_text(source: str, expected: str) -> None:
    assert html.to_text(source) == expected


def test_what_is_left_out_is_named() -> None:
    document = html.parse("<video src=x></video><form><input></form><img src=cid:1>")

    assert document.dropped == {"video", "form", "input", "img"}


def test_the_subset_has_neither_scripts_nor_styles() -> None:
    source = (
        "<div style='x' onclick='y'><b class=z>bold</b> <i>it</i><script>bad()</script><a href='data:text/html,x'>l</a>"
    )

    assert html.to_html(source, frozenset({"strong", "link"})) == "<p><strong>bold</strong> itl</p>"


@given(sources)
def test_it_never_fails_and_what_it_writes_reads_the_same(source: str) -> None:
    written = html.to_html(source)

    assert html.to_text(written).split() == html.to_text(source).split()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_text_without_tags_stays(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    pieces = [token.rest for token in _tags.read(escaped)]

    assert "".join(pieces) == text


@pytest.mark.parametrize(
    "unit",
    [
        *("<", "<a ", "<a/", "</", "<!--", "<!", "<?", '<a x="', "<a x='\">", '<a x=">"', "<![CDATA[", "<script>"),
        *("<title>", "<b>", "<div>", "<blockquote>", "<ul><li>", "<table><tr><td>", "<b>x", "<i></b>", "</ul>", "&"),
        *("&#", "<li>", "<tr>", "<p>x", "<a href=x>", "<td>", "<table>", "<pre>", "<br>", " ", "<ol><li>x"),
    ],
)  # fmt: skip
def test_hostile_input_takes_linear_time(unit: str) -> None:
    """The standard library's parser takes half a minute for 60 kB of the second one.

    Eight times the text takes about eight times as long, and not 64 times.
    """

    def seconds(size: int) -> float:
        begun = time.process_time()
        html.to_text(unit * (size // len(unit)) + "needle")
        return time.process_time() - begun

    small = min(seconds(10_000), seconds(10_000))  # below two milliseconds the clock says little
    assert seconds(80_000) < 24 * max(small, 0.002)


def test_deep_nesting_is_safe() -> None:
    depth = 20_000
    source = (
        "<blockquote><ul><li><b><div>" * depth + "needle" + "</div></b></li></ul></blockquote>" * depth + "<p>after"
    )

    assert html.to_text(source).endswith("needle\n\nafter")
