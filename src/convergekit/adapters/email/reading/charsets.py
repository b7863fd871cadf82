"""Bytes to text, whatever the charset is called and whatever the bytes are.

- A charset is read as the set that holds all of it and what programs send under its name: ISO 8859-1 as Windows 1252,
  GB 2312 as GB 18030 (as in the WHATWG Encoding standard).
- Where any bytes make text in the declared charset, UTF-8 goes first: that bytes are UTF-8 is no accident. Where a
  charset is told by its bytes (Chinese, Japanese, Korean), the declared one goes first: two characters of GB 2312 may
  look like UTF-8.
- UTF-7 is never read: what is harmless to everybody else would be markup here.
- What fits nowhere becomes U+FFFD.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Final

__all__ = ["decode", "guess"]

#: What is read as something larger, or is known by other names. None: it says nothing.
_READ_AS: Final[dict[str, str | None]] = {
    **dict.fromkeys(("us-ascii", "ascii", "ansi_x3.4-1968", "646", "iso646-us", "ansi", "windows-1252"), "cp1252"),
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "l1"), "cp1252"),
    **dict.fromkeys(("utf-8", "utf8", "unicode-1-1-utf-8", "cp65001", "utf-8-sig"), "utf-8"),
    **dict.fromkeys(("gb2312", "gb_2312-80", "euc-cn", "gbk", "x-gbk", "cp936", "ms936", "gb18030"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "windows-31j"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ks_c_5601-1989", "ksc5601", "korean", "windows-949"), "cp949"),
    **dict.fromkeys(("big5", "big5-hkscs", "cn-big5", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("iso-2022-jp", "iso-2022-jp-1", "csiso2022jp"), "iso2022_jp_ext"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620", "windows-874"), "cp874"),
    **dict.fromkeys(("iso-8859-8", "iso-8859-8-i", "iso-8859-8-e"), "cp1255"),
    **dict.fromkeys(("macintosh", "x-mac-roman", "mac"), "mac_roman"),
    **dict.fromkeys(("", "8bit", "binary", "unknown-8bit", "x-unknown", "unknown", "default", "none"), None),
}
#: Those of Python's codecs that are charsets; others compute (idna), or are something else (zip).
_CHARSETS: Final = re.compile(
    r"utf_(16|32)(_[bl]e)?|iso8859_\d+|cp\d+|koi8_.|mac_\w+|big5\w*|gb\w+|hz|euc_\w+|shift_\w+|iso2022_\w+"
    r"|johab|ptcp154|kz1048|tis_620|hp_roman8"
)
#: Their bytes tell whether they are what they are called.
_TELLING: Final = re.compile(r"big5|gb|euc_|shift_|johab|cp9(32|49|50)$|iso2022|hz|utf_")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def decode(data: bytes | memoryview, charset: str | None) -> tuple[str, str | None]:
    """The text of *data*, and what is wrong with the *charset* that it declares, or None."""
    codec, defect = _codec((charset or "")[:80].strip(" \t\"'").lower())
    text, read_as = _read(data, codec)
    if codec is not None and read_as != codec and not text.isascii():
        defect = f"text is not in the charset that it declares, {codec}; read as {read_as}"
    elif "\ufffd" in text:
        defect = defect or "text has bytes in it that its charset does not know"
    return text, defect


def guess(data: bytes) -> str:
    """The text of bytes that nobody declares anything for: UTF-8, else Windows 1252."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _read(data: bytes | memoryview, codec: str | None) -> tuple[str, str]:
    if codec is not None and _TELLING.match(codec) and _may_be(data, codec):
        try:
            return _cleaned(str(data, codec)), codec
        except UnicodeError:
            pass
    try:
        return _cleaned(str(data, "utf-8")), "utf-8"
    except UnicodeDecodeError:
        pass
    if codec == "utf-8":
        # Bad bytes among good characters are damage; where all are bad, it is something else.
        text = _cleaned(str(data, "utf-8", "replace"))
        if not text.replace("\ufffd", "").isascii():
            return text, codec
    codec = "cp1252" if codec in (None, "utf-8") else codec
    return _cleaned(str(data, codec, "replace")), codec


def _may_be(data: bytes | memoryview, codec: str) -> bool:
    """Whether to try it: UTF-16 has NULs or begins with its mark, and ASCII that is called UTF-16 has neither."""
    start = bytes(data[:4096])
    return not codec.startswith("utf_") or b"\0" in start or start.startswith((b"\xff", b"\xfe"))


def _cleaned(text: str) -> str:
    return text.removeprefix("\ufeff") if text.isascii() else _SURROGATE.sub("\ufffd", text.removeprefix("\ufeff"))


@lru_cache(maxsize=256)
def _codec(name: str) -> tuple[str | None, str | None]:
    """Python's codec for it, or None, and what is wrong with the name, or None."""
    if name in _READ_AS:
        return _READ_AS[name], None
    if re.fullmatch(r"[a-z0-9._:+-]+", name) and "utf-7" not in name and "utf7" not in name:
        try:
            codec = codecs.lookup(name).name.replace("-", "_")
        except LookupError:
            return None, f"the charset {name[:40]} is not known"
        if _CHARSETS.fullmatch(codec):
            return codec, None
    return None, f"the charset {name[:40]!a} is not read"
