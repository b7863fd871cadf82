"""What is promised of every gateway, asked of each in its own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from convergekit.abc import Request
from convergekit.adapters.sms.callbacks import Callbacks, Read
from convergekit.adapters.sms.request import Requests
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    InvalidInputError,
    RejectedError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Address, Attachment, FailureKind, ReceiptReceived, Status
from tests.adapters.sms.gateway_kit import (
    NOW,
    REFERENCE,
    THEM,
    US,
    answered,
    called,
    channel,
    consents,
    message,
    notes,
    out,
    report,
    sent,
)
from tests.adapters.sms.profiles import samples, unsigned

THEY, WE = THEM.removeprefix("sms:+"), US[1:]


Gateway = samples.Gateway | unsigned.Gateway
ALL: list[Gateway] = [*samples.ALL, *unsigned.ALL]
pytestmark = pytest.mark.parametrize("gateway", ALL, ids=repr)


def read(gateway: Gateway, request: Request) -> Read:
    return Callbacks(gateway.config, "alerts").read(request, now=NOW)


def secrets(gateway: Gateway) -> list[str]:
    return [each for each in gateway.account.values() if each == samples.SECRET or "secret" in each]


class TestOut:
    def test_who_it_goes_to_and_what_it_says_are_there_unchanged(self, gateway: Gateway) -> None:
        text = "Grüße & 1+1=2 % {key} <b>"
        said = json.dumps(sent(gateway.config, out(text)).fields, ensure_ascii=False)

        assert json.dumps(text, ensure_ascii=False) in said
        assert THEY in said
        assert WE in said

    def test_a_long_text_goes_as_one(self, gateway: Gateway) -> None:
        """Gateways cut it themselves; the limit of ten segments is kept before."""
        text = "0123456789" * 153

        assert text in json.dumps(sent(gateway.config, out(text)).fields)

    def test_a_name_may_be_the_sender(self, gateway: Gateway) -> None:
        config = channel(gateway.name, gateway.account, **{"from": "Wonderland"})

        assert '"Wonderland"' in json.dumps(sent(config).fields)

    def test_a_number_that_is_none_is_refused_before_it_goes(self, gateway: Gateway) -> None:
        with pytest.raises(RejectedError) as caught:
            sent(gateway.config, out(to="sms:Wonderland"))

        assert caught.value.kind is FailureKind.INVALID_ADDRESS

    def test_what_is_over_is_not_sent(self, gateway: Gateway) -> None:
        with pytest.raises(RejectedError) as caught:
            sent(gateway.config, out(lasts=0))

        assert caught.value.kind is FailureKind.EXPIRED

    def test_a_file_without_a_url_is_refused(self, gateway: Gateway) -> None:
        with pytest.raises(UnsupportedContentError):
            sent(gateway.config, out(files=(Attachment(data=b"x", media_type="image/png"),)))

    def test_native_lays_over_what_the_profile_says(self, gateway: Gateway) -> None:
        plain = sent(gateway.config).fields

        assert sent(gateway.config, out(native={"extra": "1"})).fields == plain | {"extra": "1"}

    def test_a_request_shows_no_secret(self, gateway: Gateway) -> None:
        shown = repr(Requests(gateway.config).build(out(), now=NOW)) + repr(gateway.config)

        assert secrets(gateway)
        assert not any(secret in shown for secret in secrets(gateway))

    def test_the_account_is_asked_about_by_what_sends_nothing(self, gateway: Gateway) -> None:
        request = Requests(gateway.config).check()

        assert request is not None
        assert request.method == "GET"


class TestAnswers:
    def test_a_message_that_is_taken_has_the_gateways_id(self, gateway: Gateway) -> None:
        status, body = gateway.answer
        receipt = answered(gateway.config, body, status)

        # Where there is none, our own reference stands for it.
        assert (receipt.status, receipt.ids, receipt.part) == (Status.ACCEPTED, gateway.ids or (REFERENCE,), 0)

    @pytest.mark.parametrize("body", [b"", b"<html>Oops</html>", b"[]", b"{}", b'"ok"', b'{"messages": []}', b"\xff"])
    def test_a_success_that_makes_no_sense_is_uncertain(self, gateway: Gateway, body: bytes) -> None:
        """It may have gone out, and a blind repeat would double it."""
        with pytest.raises(UncertainError):
            answered(gateway.config, body, gateway.answer[0])

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_trouble_of_the_gateway_is_uncertain(self, gateway: Gateway, status: int) -> None:
        with pytest.raises(UncertainError):
            answered(gateway.config, b"<html>Oops</html>", status)

    def test_too_many_requests_wait(self, gateway: Gateway) -> None:
        with pytest.raises(ThrottledError) as caught:
            answered(gateway.config, "{}", 429, retry_after=7.0)
        with pytest.raises(ThrottledError):
            answered(gateway.config, "{}", 429)

        assert caught.value.retry_after == 7.0

    def test_what_is_about_the_account_takes_it_down(self, gateway: Gateway) -> None:
        with pytest.raises(AuthenticationError):
            answered(gateway.config, "{}", 401)
        with pytest.raises(AccountError):
            answered(gateway.config, "{}", 402)


class TestMessages:
    def test_a_text_arrives(self, gateway: Gateway) -> None:
        came = message(read(gateway, gateway.message("Grüße \U0001f600")))

        assert came.key == "in:in-1"
        assert came.message_id == "in-1"
        assert came.sender == Address.parse(THEM)
        assert came.conversation is not None
        assert came.conversation.address == Address.parse(THEM)
        assert came.to == (Address.parse(f"sms:{US}"),)
        assert came.text == "Grüße \U0001f600"
        assert came.native
        assert came.details["gateway"] == gateway.name

    def test_the_same_call_again_has_the_same_keys(self, gateway: Gateway) -> None:
        for request in (gateway.message(), gateway.report(gateway.failed), gateway.message("STOP")):
            first, again = read(gateway, request), read(gateway, request)

            assert [event.key for event in first.events] == [event.key for event in again.events]
            assert len({event.key for event in first.events}) == len(first.events)

    def test_an_empty_text_is_a_message(self, gateway: Gateway) -> None:
        assert message(read(gateway, gateway.message(""))).text == ""

    @pytest.mark.parametrize(("word", "granted"), [("STOP", False), ("start", True)])
    def test_a_word_takes_consent_back_or_gives_it(self, gateway: Gateway, word: str, granted: bool) -> None:
        assert consents(read(gateway, gateway.message(word))) == [(THEM, granted)]

    def test_a_phrase_does_not_act(self, gateway: Gateway) -> None:
        came = read(gateway, gateway.message("please stop texting me"))

        assert consents(came) == []
        assert message(came).details["maybe_opt_out"] is True


class TestReports:
    def test_every_word_in_the_table_becomes_what_it_says(self, gateway: Gateway) -> None:
        for word, means in gateway.config.loaded.words.items():
            came = read(gateway, gateway.report(word))
            if means == "none":
                assert notes(came) == ["sms.report"]
                continue
            receipt = report(came)
            is_status = means in {status.value for status in Status}
            assert receipt.status is (Status(means) if is_status else Status.FAILED), word
            assert receipt.ids == gateway.ids
            if gateway.ours:
                assert (receipt.delivery, receipt.part) == ("d41", 0)
            if not is_status:
                assert receipt.failure is not None
                assert receipt.failure.kind == FailureKind(means), word

    def test_every_code_in_the_table_becomes_what_it_says(self, gateway: Gateway) -> None:
        for code, means in gateway.config.loaded.codes.items():
            came = read(gateway, gateway.report(gateway.failed, code))
            if means == "none":
                assert notes(came) == ["sms.report"]
                continue
            (receipt,) = [event.receipt for event in came.events if isinstance(event, ReceiptReceived)]
            assert receipt.failure is not None
            assert (receipt.failure.kind, receipt.failure.code) == (FailureKind(means), code)
            assert consents(came) == ([(THEM, False)] if means == "opted_out" else [])

    def test_a_code_that_nobody_knows_is_kept(self, gateway: Gateway) -> None:
        failure = report(read(gateway, gateway.report(gateway.failed, "4711"))).failure

        kept = "4711" if any(rule.code for rule in gateway.config.loaded.callbacks.status) else None
        if gateway.name == "infobip":  # tells the same by a name, too, and that one is listed
            kept = "UNDELIVERABLE_NOT_DELIVERED"
        assert failure is not None
        assert failure.code == kept

    def test_a_word_that_nobody_knows_changes_nothing(self, gateway: Gateway) -> None:
        came = read(gateway, gateway.report("teleported"))

        assert not any(isinstance(event, ReceiptReceived) for event in came.events)
        assert len(came.events) == 1


class TestNonsense:
    """Nothing that comes raises anything but `InvalidInputError`, which is answered with a 400."""

    ODD: tuple[Any, ...] = (None, [], {}, [[]], {"a": {}}, 7, True, "", "x" * 5000, ["a", "b"], {"0": "x"})

    def test_fields_that_are_missing_or_of_other_types(self, gateway: Gateway) -> None:
        for fields, call in gateway.said():
            for path in _places(fields):
                for odd in (*self.ODD, _GONE):
                    try:
                        came = read(gateway, call(_changed(fields, path, odd)))
                    except InvalidInputError:
                        continue
                    assert all(event.key for event in came.events)

    @pytest.mark.parametrize("body", [b"{", b"[" * 5000, b"%", b"&&&", b"\x00\xff", b"null", b"7", b'"a"', b"<a/>"])
    def test_bodies_that_are_no_call(self, gateway: Gateway, body: bytes) -> None:
        try:
            came = called(gateway.config, body)
        except InvalidInputError:
            return
        assert set(notes(came)) <= {"sms.unknown", "sms.unreadable"}

    def test_what_is_neither_message_nor_report_is_noted(self, gateway: Gateway) -> None:
        for _, call in gateway.said():
            assert notes(read(gateway, call({"hello": "world"}))) == ["sms.unknown"]


_GONE = object()


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        found += [place for name, each in value.items() for place in _places(each, (*path, name))]
    elif isinstance(value, list):
        found += [place for index, each in enumerate(value) for place in _places(each, (*path, index))]
    return found


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    if new is _GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return copy
