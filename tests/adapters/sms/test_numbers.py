"""Numbers as gateways write them: read without guessing, written as each wants them."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.sms.numbers import NumberKind, can_receive, kind_of, read_number, recipient, written
from convergekit.errors import InvalidInputError, RejectedError
from convergekit.model import Address, FailureKind


@pytest.fixture
def without_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `convergekit[sms]` had never been installed."""
    for name in [each for each in sys.modules if each.partition(".")[0] == "phonenumbers"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "phonenumbers", None)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+4915112345678", NumberKind.E164),
        ("+15005550006", NumberKind.E164),
        ("110", NumberKind.SHORT_CODE),
        ("12345678", NumberKind.SHORT_CODE),
        ("015112345678", NumberKind.NATIONAL),
        ("O2-Info", NumberKind.ALPHANUMERIC),
        ("Zürich 24", NumberKind.ALPHANUMERIC),
        ("4everYoung", NumberKind.ALPHANUMERIC),
    ],
)
def test_kinds(number: str, kind: NumberKind) -> None:
    assert kind_of(number) is kind


@pytest.mark.parametrize("junk", ["", "+", "+0123456", "+" + "1" * 16, "1" * 16, "twelve chars", "a\nb", "-", "1"])
def test_what_is_no_kind_of_address(junk: str) -> None:
    with pytest.raises(InvalidInputError):
        kind_of(junk)


@pytest.mark.parametrize(
    ("raw", "more", "uri"),
    [
        ("+4915112345678", {}, "sms:+4915112345678"),
        ("4915112345678", {}, "sms:+4915112345678"),
        ("4915112345678", {"style": "digits"}, "sms:+4915112345678"),
        ("004915112345678", {}, "sms:+4915112345678"),
        (" 4915112345678", {}, "sms:+4915112345678"),  # a + that a form has turned into a space
        ("+49 (151) 123-456.78", {}, "sms:+4915112345678"),
        ("tel:+4915112345678", {}, "sms:+4915112345678"),
        ("whatsapp:+4915112345678", {}, "whatsapp:+4915112345678"),
        ("WhatsApp:4915112345678", {}, "whatsapp:+4915112345678"),
        ("rcs:+4915112345678", {}, "rcs:+4915112345678"),
        ("4915112345678", {"medium": "whatsapp"}, "whatsapp:+4915112345678"),
        ("+4915112345678", {"medium": "mms"}, "sms:+4915112345678"),
        ("12345", {}, "sms:12345"),
        ("12345", {"region": "US"}, "sms:12345"),
        ("02800", {"region": "NO"}, "sms:02800"),  # a landline by the tables, a short code by SMS
        ("O2-Info", {}, "sms:O2-Info"),
        ("My Shop", {}, "sms:My%20Shop"),
        ("anonymous", {}, "sms:anonymous"),
        ("015112345678", {"region": "DE"}, "sms:+4915112345678"),
        ("015112345678", {"region": "de"}, "sms:+4915112345678"),
        ("0151/12345678", {"region": "DE"}, "sms:+4915112345678"),
        ("(202) 456-1111", {"region": "US"}, "sms:+12024561111"),
        ("2024561111", {"region": "US", "style": "national"}, "sms:+12024561111"),
        ("4915112345678", {"region": "US", "style": "digits"}, "sms:+4915112345678"),
        ("4915112345678", {"region": "DE"}, "sms:+4915112345678"),
        ("15005550006", {"style": "digits"}, "sms:+15005550006"),  # one that a provider tests with
        ("20123456", {"region": "DK"}, "sms:+4520123456"),
    ],
)
def test_a_number_is_read(raw: str, more: dict[str, Any], uri: str) -> None:
    assert read_number(raw, **more) == Address(uri)


def test_a_national_number_of_nobody_knows_where_stays_as_it_is() -> None:
    """The sender is told apart from others, and nothing is made up."""
    assert read_number("015112345678") == Address("sms:015112345678")


@pytest.mark.parametrize("junk", ["", "   ", "+", "+49abc", "whatsapp:", "a name of more than eleven", "1" * 40, "\n"])
def test_junk_is_refused_and_shows_no_more_than_a_number(junk: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_number(junk + "\u0007the-word-that-nobody-may-see" if len(junk) > 11 else junk)

    assert "nobody-may-see" not in str(caught.value)


@given(st.text(max_size=60), st.sampled_from(["e164", "digits", "national"]), st.sampled_from([None, "DE", "US", "??"]))
def test_whatever_comes_is_an_address_or_refused(raw: str, style: Any, region: str | None) -> None:
    try:
        address = read_number(raw, style=style, region=region)
    except InvalidInputError:
        return

    assert address.scheme in {"sms", "whatsapp", "rcs"}


@pytest.mark.parametrize(
    ("number", "style", "region", "wire"),
    [
        ("+4915112345678", "e164", None, "+4915112345678"),
        ("+4915112345678", "digits", None, "4915112345678"),
        ("+4915112345678", "national", None, "015112345678"),
        ("+4915112345678", "national", "DE", "015112345678"),
        ("+12024561111", "national", "US", "2024561111"),
        ("+390612345678", "national", "IT", "0612345678"),
        ("015112345678", "e164", "DE", "+4915112345678"),
        ("015112345678", "digits", "DE", "4915112345678"),
        ("004915112345678", "e164", None, "+4915112345678"),
        ("12345", "digits", "DE", "12345"),
        ("O2-Info", "digits", "DE", "O2-Info"),
    ],
)
def test_a_number_is_written_as_the_gateway_wants_it(number: str, style: Any, region: str | None, wire: str) -> None:
    assert written(number, style, region) == wire


@pytest.mark.parametrize(
    ("number", "style", "region", "way_out"),
    [
        ("015112345678", "e164", None, "region"),
        ("000000000", "e164", "DE", "no number of DE"),
        ("+4915112345678", "national", "US", "no number of US"),
        ("nobody's number", "e164", None, "+4915112345678"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_way_out(
    number: str, style: Any, region: str | None, way_out: str
) -> None:
    with pytest.raises(RejectedError, match=way_out.replace("+", r"\+")) as caught:
        written(number, style, region)

    assert caught.value.kind is FailureKind.INVALID_ADDRESS


def test_a_name_cannot_receive() -> None:
    with pytest.raises(RejectedError, match="cannot receive") as caught:
        recipient("O2-Info")

    assert caught.value.kind is FailureKind.INVALID_ADDRESS
    assert recipient("+4915112345678", "digits") == "4915112345678"
    assert can_receive("12345")
    assert not can_receive("O2-Info")
    assert not can_receive("")


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True), st.sampled_from(["e164", "digits"]))
def test_what_is_written_is_read_back(number: str, style: Any) -> None:
    if style == "digits" and len(number) < 10:
        return  # eight digits without a + are a short code

    assert read_number(written(number, style), style=style).value == number


@pytest.mark.usefixtures("without_tables")
class TestWithoutTheExtra:
    """E.164 is kept as given; a national number is refused, and told how it could go."""

    def test_international_numbers_short_codes_and_names_need_nothing(self) -> None:
        assert written("+4915112345678", "digits", "DE") == "4915112345678"
        assert written("12345", "e164", "DE") == "12345"
        assert read_number("4915112345678", style="digits", region="DE").value == "+4915112345678"
        assert read_number("015112345678", region="DE").value == "015112345678"

    @pytest.mark.parametrize(("number", "style"), [("015112345678", "e164"), ("+4915112345678", "national")])
    def test_national_numbers_name_what_is_missing(self, number: str, style: Any) -> None:
        with pytest.raises(RejectedError, match=r"pip install convergekit\[sms\]"):
            written(number, style, "DE")


def test_the_tables_are_loaded_only_where_a_number_needs_them() -> None:
    program = (
        "import sys; from convergekit.adapters.sms.numbers import read_number, recipient;"
        "recipient('+4915112345678', 'digits'); read_number('4915112345678', region=None);"
        "sys.exit('phonenumbers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
