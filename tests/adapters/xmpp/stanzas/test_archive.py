"""Questions to an archive are made as XEP-0313 has them, and its answers are taken to be foreign."""

from datetime import UTC, datetime
from xml.etree.ElementTree import tostring

import pytest

from convergekit.adapters.xmpp.stanzas.archive import Fin, Query, to_fin, to_iq, to_result
from tests.adapters.xmpp.fake_archive import field_of, rsm
from tests.adapters.xmpp.fake_stream import element

RESULT = (
    "<message from='bot@example.org'><result xmlns='urn:xmpp:mam:2' queryid='q1' id='a1'>"
    "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/>"
    "<message xmlns='jabber:client' from='ann@example.org/x'><body>hi</body></message></forwarded></result></message>"
)


def test_a_question_says_all_it_is_asked() -> None:
    start = datetime(2026, 1, 2, tzinfo=UTC)
    iq = to_iq(Query(room="room@example.org", max=7, after="a1", start=start, peer="ann@example.org"), "q1")

    assert (iq.get("type"), iq.get("to"), iq[0].get("queryid")) == ("set", "room@example.org", "q1")
    assert field_of(iq, "FORM_TYPE") == "urn:xmpp:mam:2"
    assert (field_of(iq, "with"), field_of(iq, "start")) == ("ann@example.org", "2026-01-02T00:00:00Z")
    assert (rsm(iq, "max"), rsm(iq, "after"), rsm(iq, "before")) == ("7", "a1", None)


def test_the_newest_page_is_asked_for_by_an_empty_before() -> None:
    iq = to_iq(Query(before=""), "q1")

    assert (iq.get("to"), rsm(iq, "before"), field_of(iq, "start")) == (None, "", None)
    assert b"before />" in tostring(iq)


def test_a_result_is_what_it_says_it_is() -> None:
    found = to_result(element(RESULT))

    assert found is not None
    assert (found.sender, found.queryid, found.id) == ("bot@example.org", "q1", "a1")
    assert found.at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert found.message.get("from") == "ann@example.org/x"


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("id='a1'", ""),
        ("id='a1'", f"id='{'a' * 1025}'"),
        ("urn:xmpp:mam:2", "urn:xmpp:mam:1"),
        ("urn:xmpp:forward:0", "urn:xmpp:forward:9"),
        ("<message xmlns='jabber:client'", "<message xmlns='jabber:server'"),
        ("</forwarded>", "<message xmlns='jabber:client'/></forwarded>"),
        ("</result>", "<forwarded xmlns='urn:xmpp:forward:0'/></result>"),
    ],
)
def test_what_is_not_as_it_should_be_is_no_result(what: str, instead: str) -> None:
    assert to_result(element(RESULT.replace(what, instead))) is None


@pytest.mark.parametrize("stamp", ["", "yesterday", "9999999-01-01T00:00:00Z"])
def test_a_result_may_not_say_when(stamp: str) -> None:
    found = to_result(element(RESULT.replace("2026-01-02T03:04:05Z", stamp)))

    assert found is not None
    assert found.at is None


@pytest.mark.parametrize(
    ("fin", "means"),
    [
        ("<fin xmlns='urn:xmpp:mam:2' complete='true'/>", Fin(True, None, None)),
        (
            "<fin xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>"
            "<first index='0'>a1</first><last>a2</last></set></fin>",
            Fin(False, "a1", "a2"),
        ),
        ("<query xmlns='urn:xmpp:mam:2'/>", Fin(True, None, None)),  # else we would ask for ever
    ],
)
def test_the_end_of_a_page(fin: str, means: Fin) -> None:
    assert to_fin(element(f"<iq type='result'>{fin}</iq>")) == means
