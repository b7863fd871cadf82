"""HTTP upload (XEP-0363): what a service says is looked at before anything is put anywhere."""

from xml.etree.ElementTree import Element, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.xmpp.stanzas.guard import is_legal
from convergekit.adapters.xmpp.stanzas.upload import Service, file_name, read_service, read_slot, slot_request
from convergekit.errors import InvalidInputError
from convergekit.model import Attachment
from tests.adapters.xmpp.fake_stream import element

UPLOAD = "urn:xmpp:http:upload:0"
PUT = "https://up.example.org/put/a.png"
GET = "https://down.example.org/a.png"


def info(*features: str, form: str = "") -> Element:
    listed = "".join(f"<feature var='{each}'/>" for each in features)
    return element(
        f"<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'>{listed}{form}</query></iq>"
    )


def form(size: str, kind: str = UPLOAD) -> str:
    return (
        "<x xmlns='jabber:x:data' type='result'>"
        f"<field var='FORM_TYPE' type='hidden'><value>{kind}</value></field>"
        f"<field var='max-file-size'><value>{size}</value></field></x>"
    )


def slot(put: str = PUT, get: str = GET, headers: str = "") -> Element:
    return element(
        f"<iq type='result'><slot xmlns='{UPLOAD}'><put url='{put}'>{headers}</put><get url='{get}'/></slot></iq>"
    )


class TestService:
    def test_it_says_how_large_a_file_may_be(self) -> None:
        assert read_service("up", info(UPLOAD, form=form("5242880"))) == Service("up", 5242880)

    def test_it_may_say_nothing_of_that(self) -> None:
        assert read_service("up", info(UPLOAD)) == Service("up")

    @pytest.mark.parametrize("size", ["", "-1", "1e6", "9" * 30, "٣", "many"])
    def test_a_size_that_is_none_counts_for_nothing(self, size: str) -> None:
        assert read_service("up", info(UPLOAD, form=form(size))) == Service("up")

    def test_another_form_is_about_something_else(self) -> None:
        assert read_service("up", info(UPLOAD, form=form("1", "urn:xmpp:else"))) == Service("up")

    def test_others_take_no_files(self) -> None:
        assert read_service("up", info("urn:xmpp:http:upload", form=form("1"))) is None
        assert read_service("up", element("<iq type='result'/>")) is None


def test_a_slot_is_asked_for_with_name_size_and_type() -> None:
    iq = slot_request(Service("up.example.org"), "a.png", 12, "image/png")

    assert (iq.get("type"), iq.get("to")) == ("get", "up.example.org")
    assert iq[0].attrib == {"filename": "a.png", "size": "12", "content-type": "image/png"}
    assert iq[0].tag == f"{{{UPLOAD}}}request"


class TestSlot:
    def test_it_says_where_to_put_and_where_to_get(self) -> None:
        found = read_slot(slot())
        assert (found.put, found.get, found.headers) == (PUT, GET, {})

    def test_it_is_not_printed(self) -> None:
        """Whoever has the URL to put to may put something there."""
        found = read_slot(slot(headers="<header name='Authorization'>Bearer SECRET</header>"))
        assert "example.org" not in repr(found)
        assert "SECRET" not in repr(found)

    def test_of_headers_three_count_and_none_can_add_another(self) -> None:
        found = read_slot(
            slot(
                headers="<header name='Authorization'>Basic A==</header><header name='Host'>evil.example.org</header>"
                "<header name='Cook&#10;ie'>a=b&#13;&#10;X-Evil: 1</header><header name='Content-Length'>1</header>"
                "<header name='EXPIRES'> soon </header><header>x</header><header name='Cookie'>\u00e9</header>"
            )
        )
        assert found.headers == {"authorization": "Basic A==", "cookie": "a=bX-Evil: 1", "expires": "soon"}

    @pytest.mark.parametrize(
        "put", ["http://up.example.org/a", "ftp://up.example.org/a", "https://u:p@e.org/", "https://e.org/ü", "", "//x"]
    )
    def test_nothing_is_put_where_it_would_be_seen_or_that_is_no_place(self, put: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            read_slot(slot(put=put))
        assert "up.example.org" not in str(caught.value)

    @pytest.mark.parametrize("host", ["localhost:5281", "127.0.0.1", "[::1]"])
    def test_without_tls_only_on_this_machine(self, host: str) -> None:
        assert read_slot(slot(put=f"http://{host}/a"), here=True).put == f"http://{host}/a"

    @pytest.mark.parametrize("host", ["localhost:5281", "127.0.0.1", "[::1]"])
    def test_not_on_ours_where_the_server_is_elsewhere(self, host: str) -> None:
        with pytest.raises(InvalidInputError):
            read_slot(slot(put=f"http://{host}/a"))

    def test_without_tls_where_the_stream_has_none_either(self) -> None:
        assert read_slot(slot(put="http://up.example.org/a"), tls=False).put == "http://up.example.org/a"

    def test_what_is_got_is_public_anyway(self) -> None:
        assert read_slot(slot(get="http://e.org/a")).get == "http://e.org/a"
        for get in ("file:///etc/passwd", "javascript:x", "https://e.org/" + "x" * 5000):
            with pytest.raises(InvalidInputError):
                read_slot(slot(get=get))

    @pytest.mark.parametrize(
        "xml",
        [
            "<iq type='result'/>",
            f"<iq type='result'><slot xmlns='{UPLOAD}'/></iq>",
            f"<iq type='result'><slot xmlns='{UPLOAD}'><put url='{PUT}'/></slot></iq>",
            f"<iq type='result'><slot xmlns='urn:else'><put url='{PUT}'/><get url='{GET}'/></slot></iq>",
        ],
    )
    def test_an_answer_without_a_place_is_none(self, xml: str) -> None:
        with pytest.raises(InvalidInputError):
            read_slot(element(xml))


class TestName:
    @pytest.mark.parametrize(
        ("attachment", "name"),
        [
            (Attachment(data=b"", name="a b.png"), "a b.png"),
            (Attachment(data=b"", media_type="image/png"), "file.png"),
            (Attachment(data=b"", media_type="x-unknown/x"), "file"),
            (Attachment(data=b"", name="a\ufffeb.txt"), "a_b.txt"),
            (Attachment(data=b"", name="x" * 300 + ".tar.gz"), "x" * 197 + ".gz"),
            (Attachment(data=b"", name="x" * 300), "x" * 200),
        ],
    )
    def test_it_keeps_its_ending_and_no_more_than_can_be_said(self, attachment: Attachment, name: str) -> None:
        assert file_name(attachment) == name

    @given(st.text(min_size=1, max_size=300))
    def test_every_name_can_be_said(self, name: str) -> None:
        attachment = Attachment.model_construct(name=name)
        asked = slot_request(Service("up"), file_name(attachment), 1, "a/b")

        assert is_legal(asked[0].get("filename", "\0"))
        assert len(asked[0].get("filename", "")) <= 200
        assert tostring(asked)
