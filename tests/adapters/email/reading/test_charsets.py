"""Charsets: what is declared rightly is read exactly; what is declared wrongly, in the way that makes sense."""

import pytest

from convergekit.adapters.email.reading.charsets import decode, guess


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("utf-8", "Grüße aus Köln, 東京 and 🦊"),
        ("UTF8", "Grüße"),
        ("iso-8859-1", "Grüße aus Köln"),
        ("iso-8859-15", "zwölf €"),
        ("windows-1252", "„so“ – 5 €"),
        ("windows-1251", "Привет, мир"),
        ("koi8-r", "Привет, мир"),
        ("iso-8859-2", "Zażółć gęślą jaźń"),
        ("iso-8859-7", "Καλημέρα"),
        ("windows-1255", "שלום"),
        ("gb2312", "联通"),
        ("gbk", "你好,世界"),
        ("gb18030", "你好🦊"),
        ("big5", "你好,世界"),
        ("shift_jis", "こんにちは"),
        ("euc-jp", "こんにちは"),
        ("iso-2022-jp", "こんにちは"),
        ("euc-kr", "안녕하세요"),
        ("iso-2022-kr", "안녕하세요"),
        ("hz-gb-2312", "你好"),
        ("utf-16", "Grüße"),
        ("utf-16le", "Grüße"),
        ("utf-32", "Grüße"),
        ("tis-620", "สวัสดี"),
    ],
)
def test_a_charset_that_is_declared_rightly_is_no_defect(charset: str, text: str) -> None:
    assert decode(text.encode(charset), charset) == (text, None)


@pytest.mark.parametrize(
    ("declared", "written_as", "text"),
    [
        ("iso-8859-1", "cp1252", "„quoted“ – 5 €"),
        ("us-ascii", "cp1252", "„quoted“ – 5 €"),
        ("gb2312", "gb18030", "镕 and 𠀀"),
        ("ks_c_5601-1987", "cp949", "똠방각하"),
        ("shift_jis", "cp932", "①髙﨑"),
        ("iso-8859-9", "cp1254", "İstanbul „ş“"),
    ],
)
def test_a_charset_is_read_as_the_set_that_holds_all_that_is_sent_under_its_name(
    declared: str, written_as: str, text: str
) -> None:
    assert decode(text.encode(written_as), declared) == (text, None)


@pytest.mark.parametrize(
    ("declared", "written_as", "text"),
    [
        ("iso-8859-1", "utf-8", "Grüße aus Köln"),
        ("us-ascii", "utf-8", "Grüße"),
        ("windows-1251", "utf-8", "Привет"),
        ("big5", "utf-8", "你好世界你"),
        ("iso-2022-jp", "utf-8", "こんにちは"),
        ("utf-8", "cp1252", "Grüße aus Köln"),
        ("utf-16", "utf-8", "Grüße"),
    ],
)
def test_what_is_declared_wrongly_is_read_all_the_same_and_told(declared: str, written_as: str, text: str) -> None:
    found, defect = decode(text.encode(written_as), declared)
    assert found == text
    assert defect


@pytest.mark.parametrize("charset", [None, "", " 8bit ", "unknown-8bit", "x-unknown", "default"])
def test_where_nothing_is_declared_it_is_utf_8_or_windows_1252(charset: str | None) -> None:
    assert decode("Grüße".encode(), charset) == ("Grüße", None)
    assert decode("Grüße".encode("cp1252"), charset) == ("Grüße", None)


@pytest.mark.parametrize(
    "charset",
    [
        "x-martian",
        "utf-7",
        "utf7",
        "zip",
        "hex",
        "rot13",
        "idna",
        "punycode",
        "unicode_escape",
        "mbcs",
        "\0",
        "a" * 500,
    ],
)
def test_what_is_no_charset_is_never_used_and_told(charset: str) -> None:
    text, defect = decode(b"+ADw-script+AD4- \\x41 \xc3\xa9", charset)
    assert text == "+ADw-script+AD4- \\x41 é"
    assert defect
    assert len(defect) < 100


def test_a_few_bad_bytes_among_good_ones_are_damage() -> None:
    text, defect = decode("Grüße ".encode() + b"\xc3 und mehr", "utf-8")
    assert text == "Grüße \ufffd und mehr"
    assert defect


def test_what_fits_nowhere_is_replaced_and_told() -> None:
    text, defect = decode(b"\x81\x8d\xe4", "iso-8859-1")
    assert text == "\ufffd\ufffdä"
    assert defect


def test_a_byte_order_mark_is_no_text() -> None:
    assert decode(b"\xef\xbb\xbfHello", "utf-8") == ("Hello", None)
    assert decode("\ufeffHello".encode("utf-16-be"), "utf-16be") == ("Hello", None)


@pytest.mark.parametrize("charset", ["utf-16", "utf-16le", "utf-32", "gb18030", "iso-2022-jp", "hz", "big5", "cp932"])
def test_no_text_has_lone_surrogates(charset: str) -> None:
    for data in (b"\x00\xd8", b"\xd8\x00", b"\xff\xfe\x00\xd8a", b"\x00\xd8\x00\x00", b"\x1b$B\x00", b"~{", b"\x81"):
        decode(data, charset)[0].encode()


def test_bytes_of_a_header_are_utf_8_or_windows_1252() -> None:
    assert guess("Grüße".encode()) == "Grüße"
    assert guess("Grüße".encode("cp1252")) == "Grüße"
