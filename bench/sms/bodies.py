"""What gateways call us with, and what a host would check it with that knows no more than this one gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

__all__ = ["CALLS", "Call"]

PERSONS = 500


class _Phone(BaseModel):
    phone_number: str
    carrier: str | None = None
    line_type: str | None = None
    status: str | None = None


class _TelnyxPayload(BaseModel):
    id: str
    type: Literal["SMS", "MMS"]
    direction: str
    sender: _Phone = Field(alias="from")
    to: list[_Phone]
    text: str
    encoding: str
    parts: int
    media: list[dict[str, Any]]
    received_at: datetime
    errors: list[dict[str, Any]]


class _TelnyxData(BaseModel):
    event_type: str
    id: str
    occurred_at: datetime
    payload: _TelnyxPayload


class _Telnyx(BaseModel):
    data: _TelnyxData
    meta: dict[str, Any]


def _telnyx(number: int) -> Any:
    text = f"Thanks, number {number} has come. When will the other one be here?"
    phone = {"carrier": "", "line_type": ""}
    return {
        "data": {
            "event_type": "message.received",
            "id": f"b301ed3f-1490-491f-995f-{number:012x}",
            "occurred_at": "2026-03-01T20:16:07.588+00:00",
            "payload": {
                "cc": [],
                "completed_at": None,
                "cost": None,
                "direction": "inbound",
                "encoding": "GSM-7",
                "errors": [],
                "from": {"phone_number": f"+1312555{number % PERSONS:04}", **phone},
                "id": f"84cca175-9755-4859-b67f-{number:012x}",
                "media": [],
                "messaging_profile_id": "740572b6-099c-44a1-89b9-6c92163bc68d",
                "parts": 1,
                "received_at": "2026-03-01T20:16:07.503+00:00",
                "record_type": "message",
                "sent_at": None,
                "tags": [],
                "text": text,
                "to": [{"phone_number": "+17735550002", **phone, "status": "webhook_delivered"}],
                "type": "SMS",
                "valid_until": None,
            },
            "record_type": "event",
        },
        "meta": {"attempt": 1, "delivered_to": "https://example.org/hooks/alerts"},
    }


class _Sinch(BaseModel):
    id: str
    type: Literal["mo_text"]
    sender: str = Field(alias="from")
    to: str
    body: str
    operator_id: str | None = None
    received_at: datetime
    sent_at: datetime | None = None


def _sinch(number: int) -> Any:
    return {
        "body": f"Thanks, number {number} has come. When will the other one be here?",
        "from": f"1312555{number % PERSONS:04}",
        "id": f"01XXXXX21XXXXX119Z8{number:08}",
        "operator_id": "35000",
        "received_at": "2026-03-01T20:16:07.588Z",
        "to": "17735550002",
        "type": "mo_text",
    }


class _SinchReport(BaseModel):
    type: Literal["recipient_delivery_report_sms"]
    batch_id: str
    recipient: str
    code: int
    status: str
    at: datetime
    client_reference: str | None = None
    operator_status_at: datetime | None = None


def _sinch_report(number: int) -> Any:
    return {
        "at": "2026-03-01T20:16:07.588Z",
        "batch_id": f"01FC66621XXXXX119Z8{number:08}",
        "client_reference": f"{number:032x}.0",
        "code": 0,
        "operator_status_at": "2026-03-01T20:16:07Z",
        "recipient": f"1312555{number % PERSONS:04}",
        "status": "Delivered",
        "type": "recipient_delivery_report_sms",
    }


class _BandwidthMessage(BaseModel):
    id: str
    owner: str
    applicationId: str
    time: datetime
    segmentCount: int
    direction: Literal["in", "out"]
    to: list[str]
    sender: str = Field(alias="from")
    text: str
    media: list[str] = []
    tag: str | None = None


class _Bandwidth(BaseModel):
    time: datetime
    type: str
    to: str
    description: str
    message: _BandwidthMessage
    errorCode: int | None = None


_BATCH = TypeAdapter(list[_Bandwidth])


def _bandwidth(number: int) -> Any:
    """Ten: every other one is a message, the others are reports."""
    return [_bandwidth_entry(number * 10 + each) for each in range(10)]


def _bandwidth_entry(number: int) -> dict[str, Any]:
    comes, them = number % 2 == 0, f"+1312555{number % PERSONS:04}"
    message: dict[str, Any] = {
        "id": f"14762070468292kw2fuqty55yp2b{number:08}",
        "owner": "+17735550002",
        "applicationId": "93de2206-9669-4e07-948d-329f4b722ee2",
        "time": "2026-03-01T20:16:07.103Z",
        "segmentCount": 1,
        "direction": "in" if comes else "out",
        "to": ["+17735550002" if comes else them],
        "from": them if comes else "+17735550002",
        "text": f"Thanks, number {number} has come. When will the other one be here?",
    }
    if not comes:
        message["tag"] = f"{number:032x}.0"
    return {
        "time": "2026-03-01T20:16:07.588Z",
        "type": "message-received" if comes else "message-delivered",
        "to": message["to"][0],
        "description": "Incoming message received" if comes else "ok",
        "message": message,
    }


class Call:
    """Calls of one kind.

    Args:
        title: What they are.
        gateway: Name of the profile.
        account: Its settings.
        make: The *number*th, as a value.
        check: What a host would check the value with.
        events: How many are in it.
    """

    def __init__(
        self,
        title: str,
        gateway: str,
        account: dict[str, str],
        make: Callable[[int], Any],
        check: Callable[[Any], object],
        events: int = 1,
    ) -> None:
        self.title, self.gateway, self.account = title, gateway, account
        self._make, self.check, self.events = make, check, events

    def bodies(self, many: int) -> list[bytes]:
        """So many, all different."""
        return [json.dumps(self._make(number)).encode() for number in range(many)]


_BANDWIDTH = {"account_id": "1", "application_id": "2", "username": "me", "password": "secret"}
_SINCH = {"service_plan_id": "1", "api_token": "secret"}
CALLS = (
    Call("a message, Telnyx", "telnyx", {"api_key": "secret"}, _telnyx, _Telnyx.model_validate),
    Call("a message, Sinch", "sinch", _SINCH, _sinch, _Sinch.model_validate),
    Call("a report, Sinch", "sinch", _SINCH, _sinch_report, _SinchReport.model_validate),
    Call("ten of both, Bandwidth", "bandwidth", _BANDWIDTH, _bandwidth, _BATCH.validate_python, events=10),
)
