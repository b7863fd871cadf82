"""From a message to a request: everything that is said arrives as it was said, or the message is refused."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.abc import Outgoing
from convergekit.adapters.sms.config import SmsConfig
from convergekit.adapters.sms.placeholders import PLACES
from convergekit.adapters.sms.profile import PLACEHOLDERS
from convergekit.adapters.sms.request import GatewayRequest, Requests
from convergekit.errors import ConfigurationError, RejectedError, UnsupportedContentError
from convergekit.model import Address, Attachment, ConversationRef, FailureKind, Message, Part

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CAT = Attachment(url="https://files.example/cat.jpg", media_type="image/jpeg", name="cat.jpg")
DOG = Attachment(url="https://files.example/dog.pdf", media_type="application/pdf")
FIELDS = {"to": "{to}", "from": "{from}", "text": "{text}"}


def out(
    text: str = "Hello", to: str = "sms:+4915112345678", *, files: tuple[Attachment, ...] = (), **more: Any
) -> Outgoing:
    address, message = Address.parse(to), Message(text, expires_at=more.pop("expires_at", None))
    subject = more.pop("subject", None)
    return Outgoing(
        **{
            "to": address,
            "part": Part(text=text, subject=subject, attachments=files),
            "key": "order-42/0-1",
            "delivery": "d41",
            "conversation": ConversationRef(address=address),
            "message": message,
            **more,
        }
    )


def config(send: dict[str, Any] | None = None, *, profile: dict[str, Any] | None = None, **more: Any) -> SmsConfig:
    settings = {"api_key": {"description": "A key."}, "plan": {"description": "A plan.", "required": False}}
    return SmsConfig.model_validate(
        {
            "profile": {
                "name": "acme",
                "title": "Acme",
                "settings": settings,
                "send": {"url": "https://api.example/send", "fields": FIELDS} | (send or {}),
                "reply": {"ids": "id"},
            }
            | (profile or {}),
            "account": {"api_key": "s3cret-key"},
            "sender": "+15005550006",
        }
        | more
    )


def built(
    send: dict[str, Any] | None = None,
    outgoing: Outgoing | None = None,
    *,
    profile: dict[str, Any] | None = None,
    now: datetime = NOW,
    **more: Any,
) -> GatewayRequest:
    return Requests(config(send, profile=profile, **more)).build(outgoing or out(), now=now)


def form(request: GatewayRequest) -> list[tuple[str, str]]:
    return parse_qsl(request.content.decode("ascii"), keep_blank_values=True, strict_parsing=True)


def body(request: GatewayRequest) -> Any:
    return json.loads(request.content)


def json_of(fields: dict[str, Any], outgoing: Outgoing | None = None, **more: Any) -> Any:
    return body(built({"encoding": "json", "fields": fields}, outgoing, **more))


class TestEncodings:
    """How fields go."""

    def test_a_form(self) -> None:
        request = built()

        assert (request.method, request.url) == ("POST", "https://api.example/send")
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert form(request) == [("to", "+4915112345678"), ("from", "+15005550006"), ("text", "Hello")]

    def test_a_form_repeats_the_name_of_a_list(self) -> None:
        request = built(
            {"fields": FIELDS | {"MediaUrl": "{media}"}}, out(files=(CAT, DOG)), profile={"media": ["sms", "mms"]}
        )

        assert [value for name, value in form(request) if name == "MediaUrl"] == [CAT.url, DOG.url]

    def test_a_form_writes_truth_as_words_and_a_table_as_json(self) -> None:
        request = built(
            {"fields": {"text": "{text}", "smart": True}}, out(native={"ContentVariables": {"1": "ä", "2": 2}})
        )

        assert form(request) == [("text", "Hello"), ("smart", "true"), ("ContentVariables", '{"1":"ä","2":2}')]

    def test_json(self) -> None:
        request = built({"encoding": "json", "fields": {"to": ["{to}"], "sms": {"body": "{text}", "unicode": True}}})

        assert request.headers["content-type"] == "application/json"
        assert body(request) == {"to": ["+4915112345678"], "sms": {"body": "Hello", "unicode": True}}

    def test_a_query(self) -> None:
        request = built({"encoding": "query", "method": "GET", "url": "https://api.example/send?v=1"})

        assert request.url == ("https://api.example/send?v=1&to=%2B4915112345678&from=%2B15005550006&text=Hello")
        assert (request.method, request.content) == ("GET", b"")
        assert "content-type" not in request.headers

    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
    def test_text_is_never_mangled(self, text: str) -> None:
        outgoing = out()
        outgoing = replace(outgoing, part=outgoing.part.model_copy(update={"text": text}))
        fields = {"text": "{text}", "inside": "<{text}>"}

        assert form(built({"fields": fields}, outgoing)) == [("text", text), ("inside", f"<{text}>")]
        assert json_of(fields, outgoing) == {"text": text, "inside": f"<{text}>"}
        query = urlsplit(built({"encoding": "query", "method": "GET", "fields": fields}, outgoing).url).query
        assert parse_qsl(query, keep_blank_values=True) == [("text", text), ("inside", f"<{text}>")]

    def test_text_as_hexadecimal_utf_16(self) -> None:
        assert json_of({"data": "{text_hex}"}, out("ä🎈")) == {"data": "00E4D83CDF88"}

    def test_what_has_no_value_is_left_out(self) -> None:
        """Also inside lists and tables, and the tables themselves."""
        fields = {
            "text": "{text}",
            "plan": "{plan}",
            "options": {"ttl": "{validity}", "webhooks": {"url": "{callback}"}},
            "list": [{"url": "{callback}"}, "{text}"],
        }

        assert json_of(fields) == {"text": "Hello", "list": ["Hello"]}

    def test_every_placeholder_has_a_place_that_it_comes_from(self) -> None:
        assert PLACES.keys() == PLACEHOLDERS.keys()


class TestUrls:
    """Where it goes."""

    def test_a_setting_cannot_leave_its_place(self) -> None:
        request = built({"url": "https://api.example/{api_key}/send"}, account={"api_key": "../x?y=z"})

        assert request.url == "https://api.example/..%2Fx%3Fy%3Dz/send"

    @pytest.mark.parametrize(
        "base", ["api.example", "ftp://api.example", "https://user@api.example", "https:// x", "https://"]
    )
    def test_a_base_that_is_no_url_is_told_at_once(self, base: str) -> None:
        with pytest.raises(ConfigurationError, match=r"send\.url") as caught:
            Requests(config({"url": "{api_key}/send"}, account={"api_key": base}))
        assert base not in str(caught.value)

    def test_a_base_may_end_in_a_slash(self) -> None:
        assert built({"url": "{api_key}/send"}, account={"api_key": "http://localhost:13013/"}).url == (
            "http://localhost:13013/send"
        )


class TestHeaders:
    """Who we are."""

    def test_basic(self) -> None:
        request = built({"basic": ["me", "{api_key}"]}, account={"api_key": "pässword"})

        assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode() == "me:pässword"

    def test_basic_without_a_password(self) -> None:
        assert built({"basic": ["{api_key}", ""]}).headers["authorization"] == (
            "Basic " + base64.b64encode(b"s3cret-key:").decode()
        )

    def test_basic_that_the_account_does_not_say_is_left_out(self) -> None:
        assert "authorization" not in built({"basic": ["{plan}", "{api_key}"]}).headers

    def test_others(self) -> None:
        request = built({"headers": {"Authorization": "Bearer {api_key}", "X-Plan": "{plan}", "Accept": "text/json"}})

        assert request.headers["authorization"] == "Bearer s3cret-key"
        assert request.headers["accept"] == "text/json"
        assert "x-plan" not in request.headers

    def test_json_is_asked_for_where_it_is_read(self) -> None:
        """Some gateways answer in XML else."""
        assert built().headers["accept"] == "application/json"
        assert "accept" not in built(profile={"reply": {"format": "text", "pattern": "(?P<id>.+)"}}).headers

    @pytest.mark.parametrize("secret", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "schlüssel", "日本"])
    def test_a_secret_that_is_no_header_is_told_at_once_and_not_shown(self, secret: str) -> None:
        with pytest.raises(ConfigurationError, match=r"send\.headers\.authorization") as caught:
            Requests(config({"headers": {"Authorization": "Bearer {api_key}"}}, account={"api_key": secret}))
        assert secret not in str(caught.value)

    def test_a_message_cannot_write_into_a_header(self) -> None:
        with pytest.raises(UnsupportedContentError, match="header"):
            built({"headers": {"X-Text": "{text}"}}, out("a\r\nX-Evil: 1"))

    def test_the_idempotency_key_is_the_same_over_attempts_and_another_for_another_part(self) -> None:
        send = {"idempotency": {"header": "Idempotency-Key"}}
        keys = [
            built(send, outgoing).headers["idempotency-key"]
            for outgoing in (out(key="k-1"), out(key="k-1", attempt=2, maybe_sent=True), out(key="k-2"))
        ]

        assert keys == ["k-1", "k-1", "k-2"]

    @pytest.mark.parametrize("key", ["ä", "a b", "a/b", "a.b", "x" * 65, "line\nbreak"])
    def test_a_key_that_is_no_header_becomes_a_digest(self, key: str) -> None:
        send = {"idempotency": {"header": "Idempotency-Key"}}
        first, other = (built(send, out(key=each)).headers["idempotency-key"] for each in (key, key + "x"))

        assert first != other
        assert len(first) == 64
        assert first.isalnum()

    def test_nothing_of_a_secret_is_shown(self) -> None:
        request = built(
            {
                "basic": ["me", "{api_key}"],
                "url": "https://api.example/{api_key}",
                "fields": {"k": "{api_key}"} | FIELDS,
            }
        )

        assert "s3cret" not in repr(request)
        assert "Hello" not in repr(request)


class TestNumbers:
    """To whom, and from whom."""

    @pytest.mark.parametrize(("style", "to"), [("e164", "+4915112345678"), ("digits", "4915112345678")])
    def test_styles(self, style: str, to: str) -> None:
        request = built({"numbers": style, "fields": FIELDS})

        assert dict(form(request)) == {
            "to": to,
            "from": to and ("+" * (style == "e164") + "15005550006"),
            "text": "Hello",
        }

    @pytest.mark.parametrize("sender", ["ACME Shop", "12345", "MG0123456789abcdef0123456789abcdef"])
    def test_a_name_a_short_code_and_a_service_stay_as_they_are(self, sender: str) -> None:
        assert dict(form(built({"numbers": "digits"}, sender=sender)))["from"] == sender

    def test_no_sender_is_no_field(self) -> None:
        assert "from" not in dict(form(built(sender=None)))

    def test_nobody_can_write_to_a_name(self) -> None:
        with pytest.raises(RejectedError) as caught:
            built(None, out(to="sms:ACME"))
        assert caught.value.kind is FailureKind.INVALID_ADDRESS

    def test_tel_is_a_number_like_any_other(self) -> None:
        assert dict(form(built(None, out(to="tel:+4915112345678"))))["to"] == "+4915112345678"


class TestValidity:
    """Until when it is tried; never longer than was asked for."""

    @staticmethod
    def said(left: float, **rule: Any) -> Any:
        send = {"encoding": "json", "fields": {"text": "{text}", "ttl": "{validity}"}, "validity": rule}
        return body(built(send, out(expires_at=NOW + timedelta(seconds=left)))).get("ttl")

    @pytest.mark.parametrize(
        ("left", "unit", "said"),
        [
            (90.5, "seconds", 90),
            (90.5, "milliseconds", 90500),
            (90.5, "minutes", 1),
            (7199, "hours", 1),
            (90.5, "instant", "2026-03-01T12:01:30.500Z"),
        ],
    )
    def test_in_the_gateways_unit(self, left: float, unit: str, said: object) -> None:
        assert self.said(left, unit=unit) == said

    def test_more_than_it_takes_is_the_most(self) -> None:
        assert self.said(1e6, unit="seconds", max=36000) == 36000
        assert self.said(1e6, unit="instant", max=60) == "2026-03-01T12:01:00.000Z"

    @pytest.mark.parametrize(
        ("left", "rule"),
        [
            (19.9, {"unit": "seconds", "min": 20}),
            (59, {"unit": "minutes"}),
            (0.5, {"unit": "seconds"}),
            (3599, {"unit": "hours"}),
            (0.9, {"unit": "instant"}),
            (0, {"unit": "seconds", "min": 0}),
        ],
    )
    def test_less_than_it_takes_is_refused(self, left: float, rule: dict[str, Any]) -> None:
        """Zero would mean "for good" to many, and more than was asked for is a message that comes too late."""
        with pytest.raises(RejectedError) as caught:
            self.said(left, **rule)
        assert caught.value.kind is FailureKind.EXPIRED

    def test_what_is_over_is_refused_also_where_the_gateway_knows_no_time(self) -> None:
        with pytest.raises(RejectedError) as caught:
            built(None, out(expires_at=NOW))
        assert caught.value.kind is FailureKind.EXPIRED

    def test_without_an_end_there_is_no_field(self) -> None:
        send = {"fields": FIELDS | {"ttl": "{validity}"}, "validity": {"unit": "seconds"}}
        assert "ttl" not in dict(form(built(send)))


class TestWords:
    """The gateway's words for ours."""

    def test_alphabet(self) -> None:
        send = {"fields": {"text": "{text}", "coding": "{alphabet}"}, "words": {"alphabet": {"gsm7": "0", "ucs2": "8"}}}

        assert [dict(form(built(send, out(text))))["coding"] for text in ("Hello {€}", "Привет")] == ["0", "8"]

    def test_without_words_ours_stand(self) -> None:
        send = {"fields": {"text": "{text}", "coding": "{alphabet}", "channel": "{medium}"}}

        assert dict(form(built(send))) == {"text": "Hello", "coding": "gsm7", "channel": "sms"}

    @pytest.mark.parametrize(
        ("media_type", "kind"),
        [("image/png", "picture"), ("VIDEO/mp4", "video"), ("audio/ogg", "audio"), ("text/vcard", "document")],
    )
    def test_media_kind(self, media_type: str, kind: str) -> None:
        send = {
            "encoding": "json",
            "fields": {"text": "{text}"},
            "words": {"media_kind": {"image": "picture", "file": "document"}},
            "variants": {"mms": {"fields": {"kind": "{media_kind}", "url": "{media_0}", "type": "{media_type}"}}},
        }
        file = Attachment(url="https://files.example/1", media_type=media_type)
        found = body(built(send, out(files=(file,)), profile={"media": ["sms", "mms"]}))

        assert found == {"text": "Hello", "kind": kind, "url": file.url, "type": media_type}


MANY = {
    "media": ["sms", "mms", "whatsapp", "rcs"],
    "send": {
        "url": "https://api.example/sms",
        "encoding": "json",
        "fields": {"to": "{to}", "from": "{from}", "kind": "text", "sms": {"text": "{text}"}},
        "variants": {
            "mms": {"url": "https://api.example/mms", "fields": {"media": "{media}", "subject": "{subject}"}},
            "whatsapp": {"to": "whatsapp:{to}", "from": "whatsapp:{from}", "fields": {"kind": "wa"}},
            "rcs-media": {"fields": {"kind": "", "sms": "", "file": {"url": "{media_0}", "name": "{media_name}"}}},
        },
    },
}


class TestVariants:
    """Other media, and files."""

    @staticmethod
    def sent(outgoing: Outgoing) -> tuple[str, Any]:
        request = Requests(config(profile=MANY, whatsapp="+15005550007", rcs="acme_agent")).build(outgoing, now=NOW)
        return request.url.rpartition("/")[2], body(request)

    def test_files_make_an_mms(self) -> None:
        where, fields = self.sent(out(files=(CAT, DOG), subject="Pets"))

        assert where == "mms"
        assert fields == {
            "to": "+4915112345678",
            "from": "+15005550006",
            "kind": "text",
            "sms": {"text": "Hello"},
            "media": [CAT.url, DOG.url],
            "subject": "Pets",
        }

    def test_whatsapp(self) -> None:
        where, fields = self.sent(out(to="whatsapp:+4915112345678"))

        assert where == "sms"
        assert fields == {
            "to": "whatsapp:+4915112345678",
            "from": "whatsapp:+15005550007",
            "kind": "wa",
            "sms": {"text": "Hello"},
        }

    def test_an_empty_text_takes_a_field_away(self) -> None:
        _, fields = self.sent(out("", to="rcs:+4915112345678", files=(CAT,)))

        assert fields == {"to": "+4915112345678", "from": "acme_agent", "file": {"url": CAT.url, "name": "cat.jpg"}}

    def test_what_a_file_is_sent_with_is_laid_over_what_a_text_is(self) -> None:
        """So a profile says once what all of a medium has."""
        variants = {
            "whatsapp": {"url": "https://api.example/wa", "fields": {"kind": "wa", "wa": {"body": "{text}"}}},
            "whatsapp-media": {"fields": {"kind": "{media_kind}", "wa": {"link": "{media_0}"}}},
        }
        send = {"encoding": "json", "fields": {"kind": "text"}, "variants": variants}
        profile = {"media": ["sms", "whatsapp"]}
        request = built(send, out(to="whatsapp:+4915112345678", files=(CAT,)), profile=profile, whatsapp="+15005550007")

        assert request.url == "https://api.example/wa"
        assert body(request) == {"kind": "image", "wa": {"body": "Hello", "link": CAT.url}}

    def test_lists_of_tables_are_laid_one_by_one(self) -> None:
        """Where there are as many; a list of another length stands for itself."""
        variants = {"mms": {"fields": {"messages": [{"media": "{media}"}], "to": [{"a": 1}, {"b": 2}]}}}
        fields = {"messages": [{"text": "{text}", "from": "{from}"}], "to": [{"number": "{to}"}]}
        send = {"encoding": "json", "fields": fields, "variants": variants}

        assert body(built(send, out(files=(CAT,)), profile={"media": ["sms", "mms"]})) == {
            "messages": [{"text": "Hello", "from": "+15005550006", "media": [CAT.url]}],
            "to": [{"a": 1}, {"b": 2}],
        }

    def test_a_medium_may_try_for_another_time(self) -> None:
        send = {
            "encoding": "json",
            "fields": {"text": "{text}", "ttl": "{validity}"},
            "validity": {"unit": "seconds", "min": 20, "max": 600},
            "variants": {"rcs": {"validity": {"unit": "minutes", "min": 5}}},
        }
        profile = {"media": ["sms", "rcs"]}
        made = [
            body(built(send, out(to=to, expires_at=NOW + timedelta(hours=1)), profile=profile, rcs="acme_agent"))
            for to in ("sms:+4915112345678", "rcs:+4915112345678")
        ]

        assert [each["ttl"] for each in made] == [600, 60]

    def test_a_medium_without_fields_of_its_own_has_the_common_ones(self) -> None:
        assert self.sent(out(to="rcs:+4915112345678"))[1]["sms"] == {"text": "Hello"}

    @pytest.mark.parametrize(
        ("outgoing", "why"),
        [
            (out(to="whatsapp:+4915112345678", files=(CAT,)), "no files"),
            (out("", to="rcs:+4915112345678", files=(CAT, DOG)), "one file"),
            (out("Hello", to="rcs:+4915112345678", files=(CAT,)), "text beside a file"),
            (out(subject="Pets"), "subject"),
            (out(files=(Attachment(data=b"x", name="cat.jpg"),)), "`url`"),
        ],
    )
    def test_what_has_no_place_is_refused_and_never_left_out(self, outgoing: Outgoing, why: str) -> None:
        with pytest.raises(UnsupportedContentError, match=why):
            self.sent(outgoing)

    @pytest.mark.parametrize("to", ["whatsapp:+4915112345678", "rcs:+4915112345678"])
    def test_a_medium_that_the_gateway_lacks(self, to: str) -> None:
        with pytest.raises(UnsupportedContentError, match=to.partition(":")[0]):
            built(None, out(to=to))

    def test_a_medium_by_which_we_are_nobody(self) -> None:
        with pytest.raises(RejectedError, match="set `whatsapp`") as caught:
            Requests(config(profile=MANY)).build(out(to="whatsapp:+4915112345678"), now=NOW)
        assert caught.value.kind is FailureKind.CONFIG

    def test_a_gateway_that_only_receives(self) -> None:
        inbound = {"inbound": [{"from": "from"}]}
        requests = Requests(config(profile={"send": None, "callbacks": inbound}))

        with pytest.raises(RejectedError, match="only receives"):
            requests.build(out(), now=NOW)


class TestCallbacks:
    """Where reports go, and how they find their message."""

    FIELDS = {"text": "{text}", "report": "{callback}", "answer": "{inbound}", "ref": "{reference}"}  # noqa: RUF012

    def test_our_reference_rides_in_the_url(self) -> None:
        fields = json_of(self.FIELDS, out(index=2), callback_url="https://example.org/hooks/alerts")

        assert fields == {
            "text": "Hello",
            "report": "https://example.org/hooks/alerts?ref=d41.2",
            "answer": "https://example.org/hooks/alerts",
            "ref": "d41.2",
        }

    def test_the_token_is_a_piece_of_the_path(self) -> None:
        """Of several the first, which is the new one."""
        tokens = ["n" * 20, "o" * 20]
        fields = json_of(self.FIELDS, callback_url="https://example.org/hooks/alerts/", callback_token=tokens)

        assert fields["report"] == f"https://example.org/hooks/alerts/{'n' * 20}?ref=d41.0"
        assert fields["answer"] == f"https://example.org/hooks/alerts/{'n' * 20}"

    def test_what_a_profile_adds_stays_readable(self) -> None:
        """Kannel fills in %d in the query of the URL; the form writes it once, and reads it once."""
        send = {"fields": {"text": "{text}", "dlr": "{callback}&status=%d"}}
        request = built(send, callback_url="https://example.org/hooks/alerts")

        assert dict(form(request))["dlr"] == "https://example.org/hooks/alerts?ref=d41.0&status=%d"

    def test_without_a_url_there_is_no_field(self) -> None:
        assert json_of(self.FIELDS) == {"text": "Hello", "ref": "d41.0"}

    def test_a_query_that_is_there_already_is_kept(self) -> None:
        settings = config({"encoding": "json", "fields": self.FIELDS}).model_copy(
            update={"callback_url": "https://example.org/hooks?tenant=a%26b#rc=2"}
        )
        fields = body(Requests(settings).build(out(), now=NOW))

        assert fields["report"] == "https://example.org/hooks?tenant=a%26b&ref=d41.0#rc=2"


class TestNative:
    """What only this gateway knows."""

    def test_is_laid_over_the_fields(self) -> None:
        fields = {"to": "{to}", "body": {"text": "{text}", "flash": False}, "gone": "x"}
        native = {"body": {"flash": True}, "gone": None, "more": [1, {"a": 2}]}

        assert json_of(fields, out(native=native)) == {
            "to": "+4915112345678",
            "body": {"text": "Hello", "flash": True},
            "more": [1, {"a": 2}],
        }

    def test_is_laid_into_the_one_message_of_a_list(self) -> None:
        fields = {"messages": [{"text": "{text}", "opt": {"flash": False}}], "more": ["x"]}
        native = {"messages": [{"opt": {"flash": True}}], "more": ["y"]}

        assert json_of(fields, out(native=native)) == {
            "messages": [{"text": "Hello", "opt": {"flash": True}}],
            "more": ["y"],
        }

    def test_touches_no_other_message(self) -> None:
        requests = Requests(config({"encoding": "json", "fields": {"text": "{text}", "opt": {"flash": False}}}))
        requests.build(out(native={"opt": {"flash": True}}), now=NOW)

        assert body(requests.build(out(), now=NOW))["opt"] == {"flash": False}

    def test_is_no_template(self) -> None:
        assert json_of({"text": "{text}"}, out(native={"x": "{api_key}"}))["x"] == "{api_key}"

    @pytest.mark.parametrize("native", ["text", 7, [1], {"x": object()}, {"x": float("nan")}, {"x": "\ud800"}])
    @pytest.mark.parametrize("encoding", ["json", "form"])
    def test_that_cannot_be_written_is_refused(self, native: Any, encoding: str) -> None:
        if encoding == "form" and isinstance(native, dict):
            native = {"table": native}
        with pytest.raises(UnsupportedContentError, match="native"):
            built({"encoding": encoding}, out(native=native))


class TestOtherRequests:
    """Beside sending."""

    def test_a_check_has_the_headers_of_send(self) -> None:
        profile = {"check": {"url": "https://api.example/{api_key}/balance"}}
        request = Requests(
            config(
                {"basic": ["me", "{api_key}"], "headers": {"X-Ref": "{reference}", "X-Plan": "gold"}}, profile=profile
            )
        ).check()

        assert request is not None
        assert (request.method, request.url) == ("GET", "https://api.example/s3cret-key/balance")
        assert request.headers.keys() == {"accept", "authorization", "x-plan"}

    def test_a_gateway_without_a_check(self) -> None:
        assert Requests(config()).check() is None

    @pytest.mark.parametrize(
        ("url", "told"),
        [
            ("https://media.example/1", True),
            ("https://MEDIA.example/1", True),
            ("https://a.cdn.example/1", True),
            ("http://media.example/1", False),
            ("https://media.example.evil/1", False),
            ("https://evilcdn.example/1", False),
            ("https://cdn.example/1", False),
            ("https://evil/?media.example", False),
            ("https://media.example@evil/1", False),
            ("https://[", False),
        ],
    )
    def test_credentials_go_to_the_gateways_own_hosts_only(self, url: str, told: bool) -> None:
        profile = {"fetch": {"hosts": ["media.example", "*.cdn.example"], "basic": ["me", "{api_key}"]}}
        requests = Requests(config(profile=profile))

        if told:
            assert requests.credentials(url)
        else:
            with pytest.raises(RejectedError, match=r"fetch\.hosts"):
                requests.credentials(url)
