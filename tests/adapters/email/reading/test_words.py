"""Encoded words (RFC 2047), as they should be and as they are."""

import pytest

from convergekit.adapters.email.reading.words import decode


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("plain = ? text", "plain = ? text"),
        ("=?utf-8?Q?caf=C3=A9?=", "café"),
        ("=?UTF-8?b?Y2Fmw6k=?=", "café"),
        ("=?iso-8859-1?q?caf=E9_au_lait?= please", "café au lait please"),
        ("=?iso-8859-1*fr?q?caf=E9?=", "café"),
        pytest.param("a =?utf-8?q?b?= =?utf-8?q?c?= d", "a bc d", id="white space between two words is none"),
        pytest.param("=?utf-8?q?b?=   =?iso-8859-1?q?=E9?=", "bé", id="nor between two charsets"),
        pytest.param("=?utf-8?q?b?= and =?utf-8?q?c?=", "b and c", id="but what stands there stays"),
        pytest.param("=?utf-8?b?4pyT4py?= =?utf-8?b?Tw6k=?=", "✓✓é", id="cut in two by quanta"),
        pytest.param("=?utf-8?q?=E2=9C?= =?utf-8?q?=93?=", "✓", id="cut in two in a character"),
        pytest.param("(=?utf-8?q?b?=)=?utf-8?q?c?=x", "(b)cx", id="without space around"),
        pytest.param("=?utf-8?q?two words?=", "two words", id="with a space inside"),
        pytest.param("=?utf-8?b?Y2Fmw6k?=", "café", id="without padding"),
        pytest.param("=?utf-8?q?100=_=G1?=", "100= =G1", id="with a stray sign"),
        pytest.param("=?x-martian?q?caf=C3=A9?=", "café", id="in no charset"),
        pytest.param("=?us-ascii?q?caf=E9?=", "café", id="in the wrong charset"),
        pytest.param("=?iso-2022-jp?B?GyRCJDMbKEI=?=", "こ", id="in a charset with states"),
        pytest.param("=?utf-8?x?caf=C3=A9?=", "=?utf-8?x?caf=C3=A9?=", id="in no encoding"),
        pytest.param("=?utf-8?q?never closed", "=?utf-8?q?never closed", id="never closed"),
        pytest.param("=?utf-8?q??=", "", id="empty"),
    ],
)
def test_words_are_decoded(text: str, decoded: str) -> None:
    assert decode(text) == decoded
