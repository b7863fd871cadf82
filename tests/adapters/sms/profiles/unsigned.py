"""What six gateways say in their documented forms, of which most sign nothing; in the manner of `samples`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal
from urllib.parse import urlencode

from convergekit.abc import Headers, Request
from convergekit.adapters.sms.config import SmsConfig
from tests.adapters.sms.gateway_kit import HOME, REFERENCE, THEM, US, channel

SECRET: Final = "s3cret-of-the-account"
TOKEN: Final = "0123456789abcdef"
THEY, WE = THEM.removeprefix("sms:"), US
Way = Literal["json", "form", "query"]


@dataclass(frozen=True)
class Gateway:
    """One gateway as it speaks.

    Args:
        name: Of its profile.
        account: What an account says.
        arrived: Fields of a message "in-1", from `THEY` to `WE`, with "Hi there".
        text: Which of them the text is.
        happened: Fields of a report about "out-1"; the word is filled in.
        word, code: Which of them they are; in an object of an object with a dot.
        failed: A word that says no more than that it failed.
        answer: One that takes a message: status and body.
        ids: The ids in it.
        ways: How messages and reports come.
        ours: Whether our reference comes back; in the URL where it stands in none of the fields.
        many: Whether calls are lists.
    """

    name: str
    account: Mapping[str, str]
    arrived: Mapping[str, Any]
    text: str
    happened: Mapping[str, Any]
    word: str
    code: str
    failed: str
    answer: tuple[int, Any]
    ids: tuple[str, ...] = ("out-1",)
    ways: tuple[Way, Way] = ("json", "json")
    ours: bool = True
    many: bool = False

    @property
    def config(self) -> SmsConfig:
        return channel(self.name, self.account, callback_token=TOKEN)

    def message(self, text: str = "Hi there") -> Request:
        return self._call(self.ways[0], _with(self.arrived, self.text, text))

    def report(self, word: str, code: str | None = None) -> Request:
        fields = _with(self.happened, self.word, word)
        in_url = self.ours and REFERENCE not in json.dumps(fields)
        query = f"ref={REFERENCE}" if in_url else ""
        return self._call(self.ways[1], fields if code is None else _with(fields, self.code, code), query)

    def said(self) -> list[tuple[Mapping[str, Any], Callable[[Any], Request]]]:
        fields = (_with(self.arrived, self.text, "Hi"), _with(self.happened, self.word, self.failed))
        return [(each, partial(self._call, way)) for each, way in zip(fields, self.ways, strict=True)]

    def _call(self, way: Way, fields: Any, query: str = "") -> Request:
        if way == "query":
            query = "&".join(filter(None, (query, urlencode(fields, doseq=True))))
            return Request(method="GET", path=f"/{TOKEN}", query=query, url=f"{HOME}/{TOKEN}?{query}")
        is_form = way == "form"
        body = urlencode(fields, doseq=True) if is_form else json.dumps([fields] if self.many else fields)
        kind = "application/x-www-form-urlencoded" if is_form else "application/json"
        url = f"{HOME}/{TOKEN}" + (f"?{query}" if query else "")
        headers = Headers({"Content-Type": kind})
        return Request(method="POST", path=f"/{TOKEN}", query=query, headers=headers, body=body.encode(), url=url)

    def __repr__(self) -> str:  # the id of a test
        return self.name


def _with(fields: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    return {**fields, name: _with(fields[name], rest, value) if rest else value}


AFRICASTALKING: Final = Gateway(
    name="africastalking",
    account={"username": "anna", "api_key": SECRET},
    arrived={"id": "in-1", "from": THEY, "to": WE, "date": "2026-03-01 12:00:00", "linkId": ""},
    text="text",
    happened={"id": "out-1", "phoneNumber": THEY, "networkCode": "63902"},
    word="status",
    code="failureReason",
    failed="Failed",
    answer=(201, {"SMSMessageData": {"Recipients": [{"statusCode": 101, "status": "Success", "messageId": "out-1"}]}}),
    ways=("form", "form"),
    ours=False,
)
BANDWIDTH: Final = Gateway(
    name="bandwidth",
    account={"account_id": "55", "username": "anna", "password": SECRET, "application_id": "a41"},
    arrived={"type": "message-received", "to": WE, "message": {"id": "in-1", "from": THEY, "to": [WE]}},
    text="message.text",
    happened={"to": THEY, "time": "2026-03-01T12:00:00Z", "message": {"id": "out-1", "tag": REFERENCE}},
    word="type",
    code="errorCode",
    failed="message-failed",
    answer=(202, {"id": "out-1", "segmentCount": 1}),
    many=True,
)
CLICKATELL: Final = Gateway(
    name="clickatell",
    account={"api_key": SECRET},
    arrived={"messageId": "in-1", "fromNumber": THEY[1:], "toNumber": WE[1:], "charset": "UTF-8", "udh": ""},
    text="text",
    happened={"messageId": "out-1", "to": THEY[1:]},
    word="statusCode",
    code="errorCode",
    failed="10",
    answer=(202, {"messages": [{"apiMessageId": "out-1", "accepted": True, "error": None}]}),
    ours=False,
)
JASMIN: Final = Gateway(
    name="jasmin",
    account={"url": "https://jasmin.example.org", "username": "anna", "password": SECRET},
    arrived={"id": "in-1", "from": THEY, "to": WE, "origin-connector": "smsc"},
    text="content",
    happened={"id": "out-1", "level": "2"},
    word="message_status",
    code="err",
    failed="UNDELIV",
    answer=(200, 'Success "out-1"'),
    ways=("form", "form"),
)
KANNEL: Final = Gateway(
    name="kannel",
    account={"url": "https://kannel.example.org", "username": "anna", "password": SECRET},
    arrived={"id": "in-1", "from": THEY, "to": WE, "ts": "1772366400", "charset": "UTF-8", "coding": "0", "udh": ""},
    text="text",
    happened={"foreign": "", "raw": ""},
    word="status",
    code="raw",
    failed="2",
    answer=(202, "0: Accepted for delivery"),
    ids=(),
    ways=("query", "query"),
)
MESSAGEBIRD: Final = Gateway(
    name="messagebird",
    account={"access_key": SECRET},
    arrived={"id": "in-1", "originator": THEY[1:], "recipient": WE[1:], "createdDatetime": "2026-03-01T12:00:00+00:00"},
    text="body",
    happened={"id": "out-1", "reference": REFERENCE, "recipient": THEY[1:]},
    word="status",
    code="statusErrorCode",
    failed="delivery_failed",
    answer=(201, {"id": "out-1", "recipients": {"items": []}}),
    ways=("form", "query"),
)
ALL: Final = [AFRICASTALKING, BANDWIDTH, CLICKATELL, JASMIN, KANNEL, MESSAGEBIRD]
