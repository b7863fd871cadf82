"""What is a word, and where it is met."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content.words import MAX_TERMS, body_text, highlights, is_met, phrases, searchable, words
from convergekit.errors import InvalidInputError
from convergekit.model import Message

ANYTHING = st.text(max_size=80)
SCRIPTS = st.text("aZ é\u0301ßİＡ 北京ターﾀﾞ한\u1112\u1161\u11abกำनमस्ते שָׁ ё½㎏\u00ad\u200d-.,\"'", max_size=40)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello, WORLD!", "hello world"),
        ("CAFÉ cafe\u0301", "cafe cafe"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("a-b c_d e.f", "a b c d e f"),
        ("北京 tower", "北 京 tower"),
        ("ﾀﾜｰ", "タ ワ ー"),
        ("한국", "한 국"),
        ("\u1112\u1161\u11ab", "한"),
        ("สวัสดี", "ส วั ส ดี"),
        ("नमस्ते", "नमस्ते"),
        ("שָׁלוֹם", "שלום"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("½ ㎏ ①", "1 2 kg 1"),
        ("x" * 65, "x" * 64 + " x"),
        ("?! 😀", ""),
        ("", ""),
    ],
)
def test_words(text: str, found: str) -> None:
    assert " ".join(words(text)) == found


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("two words", [("two",), ("words",)]),
        ('"a phrase" more', [("a", "phrase"), ("more",)]),
        ("“curly quotes”", [("curly", "quotes")]),
        ('open "to the end', [("open",), ("to", "the", "end")]),
        ("北京", [("北", "京")]),
        ("e-mail", [("e", "mail")]),
        ("twice Twice", [("twice",)]),
        ('"" ?', []),
    ],
)
def test_phrases(query: str, asked: list[tuple[str, ...]]) -> None:
    assert phrases(query) == asked


def test_a_query_has_so_many_words() -> None:
    assert len(phrases(" ".join(map(str, range(MAX_TERMS))))) == MAX_TERMS
    with pytest.raises(InvalidInputError, match=str(MAX_TERMS)):
        phrases("北" * (MAX_TERMS + 1))


@given(ANYTHING | SCRIPTS)
def test_words_of_words_are_the_same_words(text: str) -> None:
    """Or an index made of words would not know what it is asked for."""
    found = words(text)
    assert words(" ".join(found)) == found


@given(ANYTHING | SCRIPTS)
def test_what_was_said_is_found_by_each_of_its_words(text: str) -> None:
    said = words(text)
    for word in text.split():
        assert is_met(phrases(word.replace('"', " ")), said)


@given(SCRIPTS | ANYTHING)
def test_highlights_stand_in_order_and_apart(text: str) -> None:
    """A word of marks in an odd order may have none."""
    for word in words(text)[:5]:
        last = -1
        for start, end in highlights([(word,)], text):
            assert last < start < end <= len(text)
            assert word in words(text[start:end])
            last = end


def test_a_phrase_is_one_stretch() -> None:
    assert highlights(phrases('"red car" blue'), "Blue is the RED, car") == ((0, 4), (12, 20))
    assert highlights([], "anything") == ()


def test_what_of_a_message_is_searched() -> None:
    message = Message(html="<p>He<b>llo</b></p><style>no{}</style>", subject="Subject")
    assert (body_text(message), searchable(message).split()) == ("Hello", ["subject", "hello"])
    assert body_text(Message("text", html="<p>other</p>")) == "text"
    assert (body_text(Message()), searchable(Message())) == ("", "")
    assert len(searchable(Message("word " * 1_000_000)).split()) == 40_000


@given(st.text(st.characters(max_codepoint=127)) | st.text("aB1-", min_size=60, max_size=200))
def test_plain_text_is_parted_as_all_other_is(text: str) -> None:
    assert words(text) == re.findall("[a-z0-9]{1,64}", text.lower())
