"""A text that a few characters keep out of the GSM alphabet: all of it is put in, or nothing is changed."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content import Policy, gsm7, render
from convergekit.content.transliteration import LETTERS, PUNCTUATION, Transliterated, Transliteration, transliterated
from convergekit.model import Capabilities, Degradation, Message, TextLimit

from .strategies import texts

SIGNS = st.text(st.sampled_from([*PUNCTUATION, *LETTERS, "a", "é", " ", "1", "€", "\n"]), max_size=60)


def sms(transliterate: Transliteration, maximum: int = 1530) -> Capabilities:
    return Capabilities(text=TextLimit(max=maximum, unit="gsm7", transliterate=transliterate))


def said(message: Message, transliterate: Transliteration, policy: Policy = "warn") -> str:
    return "".join(part.text or "" for part in render(message, sms(transliterate), policy=policy).parts)


@pytest.mark.parametrize("table", [PUNCTUATION, LETTERS])
def test_the_tables_lead_from_outside_into_the_alphabet(table: dict[str, str]) -> None:
    assert all(len(sign) == 1 and not gsm7.is_gsm7(sign) and gsm7.is_gsm7(table[sign]) for sign in table)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("“Hi” – it’s…", '"Hi" - it\'s...'),
        ("a\u00a0b\tc\u2009d", "a b c d"),
        ("1½ km, ¼ h", "1 1/2 km, 1/4 h"),
        ("e\u0301te\u0301", "été"),  # composed, it is in the alphabet
        ("• one\n• two", "- one\n- two"),
        ("co\u00adoperate", "cooperate"),
        ("„Grüße“ → «Ö»", '"Grüße" -> "Ö"'),
    ],
)
def test_punctuation(text: str, written: str) -> None:
    assert transliterated(text, "punctuation") == Transliterated(written, is_lossy=False)
    assert transliterated(text, "full") == Transliterated(written, is_lossy=False)
    assert transliterated(text, "never") is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Zażółć gęślą jaźń", "Zazolc gesla jazn"),
        ("ça va, garçon ?", "ca va, garcon ?"),
        ("Điều này", "Dieu này"),  # what is in the alphabet is never changed
        ("árvíztűrő tükörfúrógép", "arviztürö tükörfurogép"),
        ("Þórður", "Thordur"),
        ("Καλημέρα σε όλους!", "KAΛHMEPA ΣE OΛOYΣ!"),
        ("ﬁve m²", "five m^2"),
        ("“ł”", '"l"'),
    ],
)
def test_letters(text: str, written: str) -> None:
    assert transliterated(text, "full") == Transliterated(written, is_lossy=True)
    assert transliterated(text, "punctuation") is None


@pytest.mark.parametrize(
    "text",
    [
        "plain",  # in the alphabet
        "Привет, “Анна”",  # romanised otherwise in each of its languages
        "“日本語”",
        "“Hi” 😀",
        "1\ufe0f\u20e3",
        "\u200b",  # nothing would be left of it
        "…" * 70,  # one segment as it is, two in the alphabet
    ],
)
def test_all_or_nothing(text: str) -> None:
    assert transliterated(text, "full") is None


@pytest.mark.parametrize(
    "text",
    [
        "“see” https://example.org/łódź",
        "„siehe“ www.example.org/a–b",
        "“write to” ann@łódź.example",
        "xmpp:łukasz@example.org – now",
        "https://example.org/it’s",
    ],
)
def test_a_url_or_an_address_is_not_changed(text: str) -> None:
    """Another character leads elsewhere; so the text stays in UCS-2."""
    assert transliterated(text, "full") is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("“https://example.org/a?b=c”", '"https://example.org/a?b=c"'),
        ("See (https://example.org/a)…", "See (https://example.org/a)..."),
        ("ann@example.org – “hi”", 'ann@example.org - "hi"'),
    ],
)
def test_what_stands_around_a_url_is_no_part_of_it(text: str, written: str) -> None:
    assert transliterated(text, "punctuation") == Transliterated(written, is_lossy=False)


@given(st.one_of(SIGNS, texts), st.sampled_from(["never", "punctuation", "full"]))
def test_what_is_changed_is_in_the_alphabet_and_costs_no_more(text: str, how: Transliteration) -> None:
    found = transliterated(text, how)

    if found is not None:
        assert not gsm7.is_gsm7(text)
        assert gsm7.is_gsm7(found.text)
        assert gsm7.segments(found.text) <= gsm7.segments(text)
        assert transliterated(found.text, how) is None


@pytest.mark.parametrize("piece", ["“a” ", "ł", "a@“b ", "–", "½1"])
def test_it_is_linear(piece: str) -> None:
    start = time.perf_counter()
    transliterated(piece * (1_000_000 // len(piece)), "full")

    assert time.perf_counter() - start < 2


class TestPlanning:
    """A channel says how far it goes, and the report says that it did."""

    def test_a_part_is_written_in_the_alphabet_and_reported(self) -> None:
        rendering = render(Message("“Hi”"), sms("punctuation"))

        assert [part.text for part in rendering.parts] == ['"Hi"']
        assert rendering.degradations == (
            Degradation(what="alphabet", detail="punctuation written in the GSM alphabet", severity="lossless"),
        )

    def test_letters_without_their_marks_are_a_loss(self) -> None:
        rendering = render(Message("“Łódź”"), sms("full"))

        assert [part.text for part in rendering.parts] == ['"Lodz"']
        assert [(each.what, each.severity) for each in rendering.degradations] == [("alphabet", "lossy")]
        assert not any("ó" in each.detail or "“" in each.detail for each in rendering.degradations)

    def test_who_wants_no_loss_gets_none_for_the_sake_of_the_price(self) -> None:
        assert said(Message("“Łódź”"), "full", policy="refuse") == "“Łódź”"
        assert said(Message("“Hi”"), "full", policy="refuse") == '"Hi"'

    def test_never_means_never(self) -> None:
        assert said(Message("“Hi”"), "never") == "“Hi”"

    def test_other_units_know_no_alphabet(self) -> None:
        limit = TextLimit(max=100, unit="utf16", transliterate="full")

        assert render(Message("“Hi”"), Capabilities(text=limit)).parts[0].text == "“Hi”"

    def test_what_is_saved_is_room(self) -> None:
        """Seventy characters become a hundred and sixty, so one part is enough."""
        text = "“" + "a" * 158 + "”"

        assert len(render(Message(text), sms("never", 160)).parts) == 3
        assert len(render(Message(text), sms("punctuation", 160)).parts) == 1

    @pytest.mark.parametrize("markdown", ["“Run” `echo “a”`", "“Run”\n\n```\necho “a”\n```"])
    def test_code_is_not_changed(self, markdown: str) -> None:
        assert "“Run”" in said(Message(markdown=markdown), "full")
        assert "echo “a”" in said(Message(markdown=markdown), "full")

    def test_text_around_code_that_is_in_the_alphabet_is_changed(self) -> None:
        assert said(Message(markdown="“Run” `ls`"), "full") == '"Run" ls'

    def test_the_subject_and_links_are_part_of_the_whole(self) -> None:
        assert said(Message("text", subject="“About”"), "punctuation") == '"About"\ntext'
        assert said(Message("text", subject="О чём"), "full") == "О чём\ntext"
