"""File names from strangers: safe to write to a folder, whatever the system."""

import pytest

from convergekit.adapters.email.reading.names import safe


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("report.pdf", "report.pdf"),
        ("Grüße aus Köln.pdf", "Grüße aus Köln.pdf"),
        ("u\u0308ber.txt", "über.txt"),
        ("archive.tar.gz", "archive.tar.gz"),
        pytest.param("../../etc/passwd.txt", "passwd.txt", id="out of the folder"),
        pytest.param("/etc/cron.d/job.sh", "job.sh", id="anywhere"),
        pytest.param("..\\..\\windows\\system.ini", "system.ini", id="out of a folder of Windows"),
        pytest.param("C:\\a\\b.exe", "b.exe", id="another drive"),
        pytest.param("a.txt:hidden.exe", "a.txt_hidden.exe", id="another stream"),
        pytest.param("nul.txt", "_nul.txt", id="a device"),
        pytest.param("COM1", "_COM1.pdf", id="a device without an ending"),
        pytest.param("a\r\nb\0.pdf", "ab.pdf", id="control characters"),
        pytest.param("invoice\u202efdp.exe", "invoicefdp.exe", id="read from right to left"),
        pytest.param("a\u200b.pdf", "a.pdf", id="not to be seen"),
        pytest.param('a<b>"|?*.pdf', "a_b_____.pdf", id="not on Windows"),
        pytest.param("a.exe. . ", "a.exe", id="an ending that Windows cuts off"),
        pytest.param("  a.pdf  ", "a.pdf", id="spaces around"),
        pytest.param(".profile", ".profile.pdf", id="nothing but an ending"),
        pytest.param("report", "report.pdf", id="no ending"),
        pytest.param("on version 1. And more", "on version 1. And more.pdf", id="a dot that begins no ending"),
        pytest.param("a\ud800.pdf", "a.pdf", id="half a character"),
    ],
)
def test_a_name_is_made_safe(name: str, made: str) -> None:
    assert safe(name, "application/pdf") == made


@pytest.mark.parametrize("name", ["", ".", "..", "../", "/", "\\", " . ", "\0", "...", "a/", "\u202e"])
def test_what_is_no_name_is_none(name: str) -> None:
    assert safe(name, "application/pdf") is None


def test_the_ending_is_that_of_the_type_where_the_type_says_something() -> None:
    assert safe("a", "image/png") == "a.png"
    assert safe("a", "application/octet-stream") == "a"
    assert safe("a", "x-unknown/x-unknown") == "a"


def test_a_name_is_no_longer_than_file_systems_take_and_keeps_its_ending() -> None:
    name = safe("ü" * 5000 + ".pdf", "application/pdf")
    assert name is not None
    assert len(name.encode()) <= 255
    name = safe("ü" * 300 + ".pdf", "application/pdf")
    assert name is not None
    assert name.endswith("ü.pdf")
    assert 250 < len(name.encode()) <= 255
