"""Parameters of Content-Type and Content-Disposition (RFC 2045, RFC 2231)."""

import pytest

from convergekit.adapters.email.reading.parameters import parse


@pytest.mark.parametrize(
    ("value", "main", "parameters"),
    [
        ("text/plain", "text/plain", {}),
        (" Text/PLAIN (as ever) ", "text/plain", {}),
        ("text/plain; charset=UTF-8; Format=flowed", "text/plain", {"charset": "UTF-8", "format": "flowed"}),
        ("text/plain;charset = utf-8 (the usual) ;", "text/plain", {"charset": "utf-8"}),
        ('multipart/mixed; boundary="a;b=c: d"', "multipart/mixed", {"boundary": "a;b=c: d"}),
        ('a/b; x="say \\"hi\\" \\\\ now"', "a/b", {"x": 'say "hi" \\ now'}),
        (
            "attachment; filename=my report (1).pdf; size=3",
            "attachment",
            {"filename": "my report (1).pdf", "size": "3"},
        ),
        ('attachment; filename="C:\\temp\\new.txt"', "attachment", {"filename": "C:\\temp\\new.txt"}),
        ("attachment; filename=Grüße.pdf", "attachment", {"filename": "Grüße.pdf"}),
        ("; filename=a.txt", "", {"filename": "a.txt"}),
        ("a/b; x=1; x=2", "a/b", {"x": "1"}),
        ("a/b; x; y=1;; ;z=2", "a/b", {"y": "1", "z": "2"}),
        ('a/b; x="never closed; y=2', "a/b", {"x": "never closed; y=2"}),
        ('a/b; name="=?utf-8?q?caf=C3=A9.txt?="', "a/b", {"name": "café.txt"}),
        ("a/b; name==?utf-8?b?Y2Fmw6kudHh0?=", "a/b", {"name": "café.txt"}),
        ('multipart/mixed; boundary="=?utf-8?q?x?="', "multipart/mixed", {"boundary": "=?utf-8?q?x?="}),
        ("a/b; name*=utf-8''caf%C3%A9%20.txt", "a/b", {"name": "café .txt"}),
        ("a/b; name*=iso-8859-1'fr'caf%E9.txt", "a/b", {"name": "café.txt"}),
        ("a/b; name*=caf%C3%A9.txt", "a/b", {"name": "café.txt"}),
        ("a/b; name*0=one; name*1=two; name*2=three", "a/b", {"name": "onetwothree"}),
        ("a/b; name*1=two; name*0=one", "a/b", {"name": "onetwo"}),
        ("a/b; name*0*=utf-8''caf%C3; name*1*=%A9; name*2=\".txt\"", "a/b", {"name": "café.txt"}),
        ("a/b; name*0=one; name*2=three", "a/b", {"name": "one"}),
        ("a/b; name=plain.txt; name*=utf-8''caf%C3%A9.txt", "a/b", {"name": "café.txt"}),
        ("a/b; name*=utf-8''caf%C3%A9.txt; name=plain.txt", "a/b", {"name": "café.txt"}),
        ("a/b; name*=x-martian''caf%C3%A9.txt", "a/b", {"name": "café.txt"}),
        ("a/b; name*=utf-8''100%", "a/b", {"name": "100%"}),
        ("a/b; x*y*z=1", "a/b", {"x*y*z": "1"}),
        ("", "", {}),
    ],
)
def test_parameters_are_read(value: str, main: str, parameters: dict[str, str]) -> None:
    assert parse(value) == (main, parameters)


def test_no_more_than_a_hundred_are_read() -> None:
    assert len(parse("a/b" + "".join(f"; x{number}=1" for number in range(1000)))[1]) == 100
