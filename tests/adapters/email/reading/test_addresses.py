"""Address fields (RFC 5322), as they should be, as they used to be, and as they are got wrong."""

import pytest

from convergekit.adapters.email.reading.addresses import MOST, read


def seen(text: str) -> list[tuple[str | None, str]]:
    return [(address.display_name, address.value) for address in read([text.encode("utf-8", "surrogateescape")])[0]]


ANN = ("Ann Lee", "ann@example.org")


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("ann@example.org", [(None, "ann@example.org")]),
        ("<ann@example.org>", [(None, "ann@example.org")]),
        ("Ann Lee <ann@example.org>", [ANN]),
        ('"Ann Lee" <ann@example.org>', [ANN]),
        ('"Lee, Ann" <ann@example.org>', [("Lee, Ann", "ann@example.org")]),
        ('"Ann \\"A\\" Lee" <ann@example.org>', [('Ann "A" Lee', "ann@example.org")]),
        ("Dr. Ann B. Lee <ann@example.org>", [("Dr. Ann B. Lee", "ann@example.org")]),
        ("Ann\t  Lee<ann@example.org>", [ANN]),
        ("ann@example.org (Ann Lee)", [ANN]),
        ("Ann (who (else)?) Lee <ann@example.org> (at work)", [ANN]),
        ("Ann(of all)Lee <ann@example.org>", [ANN]),
        ("ann(x)@(y)example.org", [(None, "ann@example.org")]),
        ("ann @ example . org", [(None, "ann@example.org")]),
        ("Ann Lee <@a.example,@b.example:ann@example.org>", [ANN]),
        ("Ann Lee < ann @example.org >", [ANN]),
        ("Ann <ann@example.org> Lee", [ANN]),
        ("ann@example.org <ann@example.org>", [("ann@example.org", "ann@example.org")]),
        ('"ann.lee"@example.org', [(None, "ann.lee@example.org")]),
        ('"a,b"@example.org', [(None, '"a,b"@example.org')]),
        ("ann@[192.0.2.1]", [(None, "ann@[192.0.2.1]")]),
        ("Ann@EXAMPLE.org", [(None, "Ann@example.org")]),
        ("Ann Lee <ann@example.org>, bob@example.org", [ANN, (None, "bob@example.org")]),
        ("Ann Lee <ann@example.org>,, ,<bob@example.org>,", [ANN, (None, "bob@example.org")]),
        ("ann@example.org; bob@example.org", [(None, "ann@example.org"), (None, "bob@example.org")]),
        ("Friends: Ann Lee <ann@example.org>, bob@example.org;", [ANN, (None, "bob@example.org")]),
        ("A: ann@example.org;, B:;, bob@example.org", [(None, "ann@example.org"), (None, "bob@example.org")]),
        ("undisclosed-recipients:;", []),
        ("undisclosed-recipients: ;", []),
        ("", []),
        (" , ", []),
        ("=?utf-8?q?J=C3=BCrgen?= <j@example.org>", [("Jürgen", "j@example.org")]),
        ('"=?utf-8?q?J=C3=BCrgen?=" <j@example.org>', [("Jürgen", "j@example.org")]),
        ("=?utf-8?q?Lee,_Ann?= <ann@example.org>", [("Lee, Ann", "ann@example.org")]),
        ("=?utf-8?b?TGVl?= =?utf-8?b?LCBBbm4=?= <ann@example.org>", [("Lee, Ann", "ann@example.org")]),
        ("Jürgen <j@example.org>", [("Jürgen", "j@example.org")]),
        ("j@bücher.example", [(None, "j@xn--bcher-kva.example")]),
        ("用户@example.org", [(None, "用户@example.org")]),
    ],
)
def test_mailboxes_are_read(text: str, addresses: list[tuple[str | None, str]]) -> None:
    assert seen(text) == addresses


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("Ann Lee ann@example.org", [ANN]),
        ('"Ann Lee <ann@example.org>', [ANN]),
        ('Ann Lee" <ann@example.org>, bob@example.org', [ANN, (None, "bob@example.org")]),
        ("Ann Lee (at work <ann@example.org>", [("Ann Lee (at work", "ann@example.org")]),
        ("Ann Lee <ann@example.org", [ANN]),
        ("Ann Lee <<ann@example.org>>", [ANN]),
        ("Ann Lee <ann@example.org, bob@example.org", [ANN, (None, "bob@example.org")]),
        ("Ann Lee <ann@example.org> Bob <bob@example.org>", [ANN, ("Bob", "bob@example.org")]),
        ("Ann Lee <ann@example.org <bob@example.org>", [ANN, (None, "bob@example.org")]),
        ("ann@example.org bob@example.org", [(None, "ann@example.org"), (None, "bob@example.org")]),
        ("Ann Lee", []),
        ("<>", []),
        ("Ann Lee <>", []),
        ("ann@", []),
        ("@example.org", []),
        ("ann@example.org@example.net", []),
        ("ann@exa mple.org", []),
        ("ann@example.org Ann Lee", []),
        ('"a b"@example.org', []),
        ("ann@-.org", []),
        ("ann@example.org:25", []),
        ("a" * 65 + "@example.org", []),
        ("ann@" + "a" * 300 + ".org", []),
        ("ann\x00@example.org", []),
        ("ann@example.org\x07", []),
        pytest.param("=?utf-8?q?Ann_=3Cann=40example=2Eorg=3E?=", [], id="an encoded word is never an address"),
        ("mailto:ann@example.org?subject=x", []),
    ],
)
def test_what_is_broken_is_told_and_the_rest_is_read(text: str, addresses: list[tuple[str | None, str]]) -> None:
    assert seen(text) == addresses
    assert read([text.encode()])[1]


def test_what_is_valid_has_no_defects() -> None:
    valid = b'Ann <ann@example.org>, "B, o" <bob@example.org>, Friends: c@example.org (C);, undisclosed-recipients:;'
    assert read([valid, b"d@example.org"])[1] == []


def test_several_fields_are_one_list() -> None:
    assert [address.value for address in read([b"a@example.org", b"b@example.org"])[0]] == [
        "a@example.org",
        "b@example.org",
    ]


def test_a_name_that_hides_an_address_or_a_line_break_is_a_name() -> None:
    (address,) = read([b"=?utf-8?q?Boss=0D=0ABcc:_x=40example=2Eorg?= <ann@example.org>"])[0]
    assert address.display_name == "Boss Bcc: x@example.org"


def test_raw_bytes_in_a_name_are_read_in_the_charset_that_fits() -> None:
    assert [address.display_name for address in read([b"J\xfcrgen <j@example.org>"])[0]] == ["Jürgen"]


def test_a_thousand_are_read_and_that_there_are_more_is_told() -> None:
    found, defects = read([b",".join(b"a%d@example.org" % number for number in range(MOST + 5))])
    assert len(found) == MOST
    assert len(defects) == 1


def test_broken_ones_count_as_well() -> None:
    found, defects = read([b"@," * 100_000])
    assert (len(found), len(defects) <= MOST + 1) == (0, True)
