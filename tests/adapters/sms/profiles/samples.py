"""What seven gateways say in their documented forms: the same facts for each, so that one test can ask all of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from convergekit.abc import Headers, Request
from convergekit.adapters.sms.config import SmsConfig
from tests.adapters.sms.gateway_kit import HOME, NOW, REFERENCE, call, channel

THEY: Final = "4915112345678"  # as THEM, without what stands before it
WE: Final = "15005550006"
SECRET: Final = "s3cret-of-the-account"
STAMP: Final = str(int(NOW.timestamp()))
KEY: Final = Ed25519PrivateKey.from_private_bytes(b"7" * 32)

Signer = Callable[[Request], Request]


@dataclass(frozen=True)
class Gateway:
    """One gateway as it speaks.

    Args:
        name: Of its profile.
        account: What an account says.
        arrived: The body of a message; by default from `THEY` to `WE`, with the id "in-1".
        happened: The body of a report: a word, and a code of a failure. About "out-1", with our reference where the
            gateway has a field for it.
        taken: The body of an answer that takes a message as "out-1".
        sent, delivered, failed: Its words.
        bad_number: An answer that refuses the recipient: status and body.
        opt_out: Its code of an opt-out, and with which word it comes; or None.
        signer: Signs a call.
        secret: The setting that the signature is checked with.
        form: Whether it sends forms.
        in_url: Whether our reference rides in the URL of reports rather than in a field.
        status: Of the answer that takes a message.
        more: What else the channel says.
    """

    name: str
    account: Mapping[str, str]
    arrived: Callable[..., dict[str, Any]]
    happened: Callable[..., dict[str, Any]]
    taken: Any
    sent: str
    delivered: str
    failed: str
    bad_number: tuple[int, Any]
    opt_out: tuple[str, str] | None
    signer: Signer
    secret: str
    form: bool = False
    in_url: bool = False
    status: int = 200
    more: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def config(self) -> SmsConfig:
        return channel(self.name, self.account, **self.more)

    @property
    def answer(self) -> tuple[int, Any]:
        return self.status, self.taken

    @property
    def ids(self) -> tuple[str, ...]:
        return ("out-1",)

    @property
    def ours(self) -> bool:
        return self.name != "telnyx"  # has no field for a reference, and does not sign the URL: its id is all

    def said(self) -> list[tuple[Mapping[str, Any], Callable[[Any], Request]]]:
        fields = (self.arrived(), self.happened(self.delivered))
        return [(each, partial(call, form=self.form)) for each in fields]

    def message(self, text: str = "Hi there") -> Request:
        return call(self.arrived(text), form=self.form)

    def report(self, word: str, code: str | None = None) -> Request:
        return call(self.happened(word, code), query=self.query(), form=self.form)

    def query(self) -> str:
        return f"ref={REFERENCE}" if self.in_url else ""

    def request(self, fields: Mapping[str, Any], query: str = "") -> Request:
        """A signed call."""
        if self.form:
            body, kind = urlencode(fields, doseq=True).encode(), "application/x-www-form-urlencoded"
        else:
            body, kind = json.dumps(fields).encode(), "application/json"
        url = HOME + (f"?{query}" if query else "")
        headers = Headers({"Content-Type": kind})
        return self.signer(Request(method="POST", query=query, headers=headers, body=body, url=url))

    def __repr__(self) -> str:  # the id of a test
        return self.name


def with_headers(request: Request, **headers: str) -> Request:
    """*request* with further headers."""
    kept = {name: request.headers[name] for name in request.headers}
    added = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=Headers(kept | added),
        body=request.body,
        url=request.url,
    )


def _mac(message: bytes, digest: str = "sha256") -> str:
    return base64.b64encode(hmac.new(SECRET.encode(), message, digest).digest()).decode()


def _pairs(request: Request) -> list[tuple[str, str]]:
    return sorted(parse_qsl(request.body.decode(), keep_blank_values=True))


def _by_twilio(request: Request) -> Request:
    signed = (request.url or "") + "".join(name + value for name, value in _pairs(request))
    return with_headers(request, X_Twilio_Signature=_mac(signed.encode(), "sha1"))


def _by_vonage(request: Request) -> Request:
    fields = {**json.loads(request.body), "timestamp": STAMP, "nonce": "n-1"}
    signed = "".join(f"&{name}={str(fields[name]).replace('&', '_').replace('=', '_')}" for name in sorted(fields))
    fields["sig"] = hmac.new(SECRET.encode(), signed.encode(), "sha256").hexdigest()
    return Request(
        method="POST", query=request.query, headers=request.headers, body=json.dumps(fields).encode(), url=request.url
    )


def _jwt(request: Request) -> Request:
    def encoded(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    claims = {"iat": int(STAMP), "iss": "Vonage", "payload_hash": hashlib.sha256(request.body).hexdigest()}
    head = encoded(b'{"alg":"HS256","typ":"JWT"}') + "." + encoded(json.dumps(claims).encode())
    token = head + "." + encoded(hmac.new(SECRET.encode(), head.encode(), "sha256").digest())
    return with_headers(request, Authorization=f"Bearer {token}")


def _by_plivo(request: Request) -> Request:
    fields = "".join(name + value for name, value in _pairs(request))
    signed = (request.url or "") + ("." if request.query else "?") + fields + ".n-1"
    return with_headers(request, X_Plivo_Signature_V3=_mac(signed.encode()), X_Plivo_Signature_V3_Nonce="n-1")


def _by_telnyx(request: Request) -> Request:
    signature = KEY.sign(STAMP.encode() + b"|" + request.body)
    return with_headers(request, telnyx_signature_ed25519=base64.b64encode(signature).decode(), telnyx_timestamp=STAMP)


def _by_sinch(request: Request) -> Request:
    signed = request.body + f".n-1.{STAMP}".encode()
    return with_headers(
        request,
        x_sinch_webhook_signature=_mac(signed),
        x_sinch_webhook_signature_nonce="n-1",
        x_sinch_webhook_signature_timestamp=STAMP,
    )


def _by_password(request: Request) -> Request:
    pair = base64.b64encode(f"infobip:{SECRET}".encode()).decode()
    return with_headers(request, Authorization=f"Basic {pair}")


def _twilio_in(text: str = "Hi there", **more: Any) -> dict[str, Any]:
    said = {"AccountSid": "AC41", "MessageSid": "in-1", "SmsSid": "in-1", "From": f"+{THEY}", "To": f"+{WE}"}
    return said | {"Body": text, "NumMedia": "0", "NumSegments": "1", "SmsStatus": "received"} | more


def _twilio_report(word: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    said = {"AccountSid": "AC41", "MessageSid": "out-1", "SmsSid": "out-1", "From": f"+{WE}", "To": f"+{THEY}"}
    said |= {"MessageStatus": word, "SmsStatus": word}
    return said | ({"ErrorCode": code} if code else {}) | more


def _vonage_in(text: str = "Hi there", **more: Any) -> dict[str, Any]:
    said = {"msisdn": THEY, "to": WE, "messageId": "in-1", "text": text, "type": "text", "keyword": "HI"}
    return said | {"message-timestamp": "2026-03-01 11:59:58"} | more


def _vonage_report(word: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    said = {"msisdn": THEY, "to": WE, "network-code": "26201", "messageId": "out-1", "price": "0.05", "status": word}
    said |= {"scts": "2603011200", "err-code": code or "0", "client-ref": REFERENCE}
    return said | {"message-timestamp": "2026-03-01 12:00:05"} | more


def _messages_in(text: str = "Hi there", **more: Any) -> dict[str, Any]:
    said = {"channel": "sms", "message_uuid": "in-1", "from": THEY, "to": WE, "timestamp": "2026-03-01T11:59:58Z"}
    return said | {"message_type": "text", "text": text} | more


def _messages_report(word: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"message_uuid": "out-1", "from": WE, "to": THEY, "timestamp": "2026-03-01T12:00:00Z"}
    said |= {"status": word, "channel": "sms", "client_ref": REFERENCE}
    if code:
        said["error"] = {"type": f"https://developer.vonage.com/api-errors/messages#{code}", "title": int(code)}
    return said | more


def _telnyx_in(text: str = "Hi there", **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"id": "in-1", "direction": "inbound", "type": "SMS", "text": text, "media": []}
    said |= {"from": {"phone_number": f"+{THEY}"}, "to": [{"phone_number": f"+{WE}", "status": "webhook_delivered"}]}
    said |= {"received_at": "2026-03-01T11:59:58.000+00:00", "record_type": "message"}
    data = {"event_type": "message.received", "id": "ev-1", "occurred_at": "2026-03-01T11:59:59.000+00:00"}
    return {"data": data | {"payload": said | more, "record_type": "event"}, "meta": {"attempt": 1}}


def _telnyx_report(word: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"id": "out-1", "direction": "outbound", "type": "SMS", "text": "Hello"}
    said |= {"from": {"phone_number": f"+{WE}"}, "to": [{"phone_number": f"+{THEY}", "status": word}]}
    said |= {"errors": [{"code": code, "title": "It went wrong"}] if code else []}
    event = "message.sent" if word == "sent" else "message.finalized"
    data = {"event_type": event, "id": "ev-2", "occurred_at": "2026-03-01T12:00:00.148+00:00"}
    return {"data": data | {"payload": said | more, "record_type": "event"}, "meta": {"attempt": 1}}


def _plivo_in(text: str = "Hi there", **more: Any) -> dict[str, Any]:
    said = {"From": THEY, "To": WE, "Text": text, "Type": "sms", "MessageUUID": "in-1", "Units": "1"}
    return said | {"MessageIntent": "", "PowerpackUUID": ""} | more


def _plivo_report(word: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    said = {"From": WE, "To": THEY, "Status": word, "MessageUUID": "out-1", "ParentMessageUUID": "out-1", "Units": "1"}
    said |= {"PartInfo": "1 of 1", "Type": "sms", "DeliveryReportTime": "2026-03-01 12:00:00.148000"}
    return said | ({"ErrorCode": code} if code else {}) | more


def _infobip_in(text: str = "Hi there", **more: Any) -> dict[str, Any]:
    said = {"messageId": "in-1", "from": THEY, "to": WE, "text": text, "cleanText": text, "smsCount": 1}
    return {"results": [said | {"receivedAt": "2026-03-01T11:59:58.000+0000"} | more], "messageCount": 1}


def infobip_status(name: str) -> dict[str, Any]:
    group = next(each for each in ("PENDING", "UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED", "") if each in name)
    return {"groupName": group or ("REJECTED" if name.isupper() else name), "name": name, "description": "In words"}


def _infobip_report(word: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    said = {"messageId": "out-1", "to": THEY, "sender": WE, "callbackData": REFERENCE, "status": infobip_status(word)}
    said |= {"error": {"name": code or "NO_ERROR", "groupName": "OK", "permanent": False, "description": "Why"}}
    said |= {"doneAt": "2026-03-01T12:00:00.148+0000", "sentAt": "2026-03-01T11:59:59.000+0000"}
    return {"results": [said | more]}


def _sinch_in(text: str = "Hi there", **more: Any) -> dict[str, Any]:
    said = {"type": "mo_text", "id": "in-1", "from": THEY, "to": WE, "body": text}
    return said | {"received_at": "2026-03-01T11:59:58.000Z"} | more


def _sinch_report(word: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {
        "type": "recipient_delivery_report_sms",
        "batch_id": "out-1",
        "recipient": THEY,
        "status": word,
    }
    said |= {"code": int(code or 0), "client_reference": REFERENCE, "at": "2026-03-01T12:00:00.148Z"}
    return said | more


TWILIO: Final = Gateway(
    name="twilio",
    account={"account_sid": "AC41", "auth_token": SECRET},
    arrived=_twilio_in,
    happened=_twilio_report,
    taken={"sid": "out-1", "status": "queued", "num_segments": "2", "error_code": None},
    status=201,
    sent="sent",
    delivered="delivered",
    failed="undelivered",
    opt_out=("failed", "21610"),
    bad_number=(400, {"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}),
    form=True,
    in_url=True,
    signer=_by_twilio,
    secret="auth_token",
    more={"whatsapp": "+15005550009", "rcs": "brand_agent"},
)
VONAGE: Final = Gateway(
    name="vonage",
    account={"api_key": "k41", "api_secret": "very-secret", "signature_secret": SECRET},
    arrived=_vonage_in,
    happened=_vonage_report,
    taken={"message-count": "1", "messages": [{"to": THEY, "message-id": "out-1", "status": "0"}]},
    sent="buffered",
    delivered="delivered",
    failed="failed",
    opt_out=("failed", "9"),
    bad_number=(200, {"message-count": "1", "messages": [{"status": "6", "error-text": "Unroutable message"}]}),
    signer=_by_vonage,
    secret="signature_secret",
)
MESSAGES: Final = Gateway(
    name="vonage-messages",
    account={"api_key": "k41", "api_secret": "very-secret", "signature_secret": SECRET},
    arrived=_messages_in,
    happened=_messages_report,
    taken={"message_uuid": "out-1"},
    status=202,
    sent="submitted",
    delivered="delivered",
    failed="rejected",
    opt_out=("rejected", "1240"),
    bad_number=(422, {"type": "https://developer.vonage.com/api-errors/messages#1170", "title": "Invalid recipient"}),
    signer=_jwt,
    secret="signature_secret",
    more={"whatsapp": "+15005550009", "rcs": "BrandAgent"},
)
TELNYX: Final = Gateway(
    name="telnyx",
    account={
        "api_key": "KEY-very-secret",
        "public_key": base64.b64encode(KEY.public_key().public_bytes_raw()).decode(),
    },
    arrived=_telnyx_in,
    happened=_telnyx_report,
    taken={"data": {"id": "out-1", "parts": 2, "to": [{"phone_number": f"+{THEY}", "status": "queued"}]}},
    sent="sent",
    delivered="delivered",
    failed="delivery_failed",
    opt_out=("sending_failed", "40300"),
    bad_number=(400, {"errors": [{"code": "40310", "title": "Invalid 'to' address"}]}),
    signer=_by_telnyx,
    secret="public_key",
    more={"whatsapp": "+15005550009", "rcs": "agent-7"},
)
PLIVO: Final = Gateway(
    name="plivo",
    account={"auth_id": "MA41", "auth_token": SECRET},
    arrived=_plivo_in,
    happened=_plivo_report,
    taken={"message": "message(s) queued", "message_uuid": ["out-1"], "api_id": "a-1"},
    status=202,
    sent="sent",
    delivered="delivered",
    failed="undelivered",
    opt_out=("failed", "200"),
    bad_number=(400, {"api_id": "a-1", "error": "invalid dst"}),
    form=True,
    in_url=True,
    signer=_by_plivo,
    secret="auth_token",
    more={"whatsapp": "+15005550009"},
)
INFOBIP: Final = Gateway(
    name="infobip",
    account={"url": "https://x41.api.infobip.com", "api_key": "very-secret", "webhook_password": SECRET},
    arrived=_infobip_in,
    happened=_infobip_report,
    taken={"messages": [{"messageId": "out-1", "status": infobip_status("PENDING_ACCEPTED")}]},
    sent="PENDING_ENROUTE",
    delivered="DELIVERED_TO_HANDSET",
    failed="UNDELIVERABLE_NOT_DELIVERED",
    opt_out=("UNDELIVERABLE_NOT_DELIVERED", "EC_CONTENT_BLOCKED"),
    bad_number=(200, {"messages": [{"messageId": "out-1", "status": infobip_status("REJECTED_DESTINATION")}]}),
    signer=_by_password,
    secret="webhook_password",
)
SINCH: Final = Gateway(
    name="sinch",
    account={"service_plan_id": "p41", "api_token": "very-secret", "webhook_secret": SECRET},
    arrived=_sinch_in,
    happened=_sinch_report,
    taken={"id": "out-1", "to": [THEY], "canceled": False},
    status=201,
    sent="Dispatched",
    delivered="Delivered",
    failed="Failed",
    opt_out=None,
    bad_number=(403, {"code": "illegal_number_type", "text": "Illegal number type"}),
    signer=_by_sinch,
    secret="webhook_secret",
)

ALL: Final = [TWILIO, VONAGE, MESSAGES, TELNYX, PLIVO, INFOBIP, SINCH]
