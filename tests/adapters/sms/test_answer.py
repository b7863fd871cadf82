"""What an answer means to the message: who has it now, and what the gateway said about it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.abc import Outgoing
from convergekit.adapters.sms.answer import Answers
from convergekit.adapters.sms.profile import Profile
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    CreditError,
    DeliveryError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)
from convergekit.http import Fault, HttpAnswer, Outcome
from convergekit.model import Address, ConversationRef, FailureKind, Part, Receipt, Status

TEXT = "Your code is 4711, tell nobody."
TO = Address("sms:+4915112345678")
OUT = Outgoing(to=TO, part=Part(text=TEXT), key="k", delivery="d41", index=3, conversation=ConversationRef(address=TO))
KINDS = (
    "invalid_message",
    "invalid_address",
    "unreachable",
    "opted_out",
    "blocked",
    "content",
    "too_large",
    "expired",
    "cancelled",
    "config",
    "provider",
)


def answers(reply: dict[str, Any], *, fields: dict[str, Any] | None = None, secrets: tuple[str, ...] = ()) -> Answers:
    send = {"url": "https://api.example/send", "fields": fields or {"text": "{text}"}}
    profile = Profile.model_validate({"name": "acme", "title": "Acme", "send": send, "reply": reply})
    return Answers(profile, secrets=secrets)


def answer(body: Any, status: int = 200, **more: Any) -> HttpAnswer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, {}, content, **more)


def receipt(reply: dict[str, Any], body: Any, status: int = 200, **more: Any) -> Receipt:
    return answers(reply, **more).receipt(answer(body, status), OUT, "alerts")


def refused(reply: dict[str, Any], body: Any, status: int = 200, **more: Any) -> DeliveryError:
    given = answer(body, status, retry_after=more.pop("retry_after", None))
    with pytest.raises(DeliveryError) as caught:
        answers(reply, **more).receipt(given, OUT, "alerts")
    return caught.value


class TestReceipts:
    """It was taken."""

    def test_an_id(self) -> None:
        assert receipt({"ids": "data.id"}, {"data": {"id": "m1"}}) == Receipt(Status.ACCEPTED, ids=["m1"], part=3)

    def test_the_first_path_that_leads_to_ids_counts(self) -> None:
        assert receipt({"ids": ["sid", "id"]}, {"id": 4711}).ids == ("4711",)
        assert receipt({"ids": ["sid", "id"]}, {"id": "a", "sid": "b"}).ids == ("b",)

    def test_several_ids(self) -> None:
        """Each once; those of segments say how many there are."""
        body = {"messages": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}

        assert receipt({"ids": "messages.*.id"}, body) == Receipt(Status.ACCEPTED, ids=["a", "b"], part=3)
        assert receipt({"ids": "messages.*.id", "segments": True}, body) == Receipt(
            Status.ACCEPTED, ids=["a", "b"], part=3, units=2, segments=2
        )

    @pytest.mark.parametrize(("said", "units"), [("2", 2), (2, 2), ("many", None), (-1, None), (None, None)])
    def test_units(self, said: object, units: int | None) -> None:
        assert receipt({"ids": "id", "units": "num_segments"}, {"id": "m1", "num_segments": said}).units == units

    def test_a_text(self) -> None:
        reply = {"format": "text", "pattern": r'Success "(?P<id>[^"]+)"', "ids": "id"}

        assert receipt(reply, b'Success "07033084-5cfd"\n').ids == ("07033084-5cfd",)

    def test_nothing_is_asked_of_the_body_where_the_status_says_it_all(self) -> None:
        assert receipt({}, b"", 202) == Receipt(Status.ACCEPTED, part=3)

    def test_a_status_that_the_profile_vouches_for(self) -> None:
        """Such as a conflict with an earlier attempt under the same key."""
        assert receipt({"ids": "id", "statuses": {"409": "taken"}}, b"", 409) == Receipt(Status.ACCEPTED, part=3)

    @pytest.mark.parametrize("id", ["a\nb", "x" * 201, " a", True, "", None, {"a": 1}])
    def test_what_is_no_id_is_none(self, id: object) -> None:
        assert isinstance(refused({"ids": "id"}, {"id": id}), UncertainError)


class TestNonsense:
    """A success that makes no sense may be one."""

    @pytest.mark.parametrize(
        "body",
        [b"", b"<html>Oops</html>", b"{", b'"m1"', b"null", b"7", b"{}", b"[]", b"\xff\xfe", b"[" * 100_000],
    )
    @pytest.mark.parametrize("reply", [{"ids": "id"}, {"ok": [{"path": "status", "equals": "0"}]}])
    def test_is_uncertain(self, reply: dict[str, Any], body: bytes) -> None:
        assert isinstance(refused(reply, body), UncertainError)

    def test_so_is_an_answer_that_breaks_off(self) -> None:
        with pytest.raises(UncertainError):
            answers({"ids": "id"}).receipt(answer({"id": "m1"}, complete=False), OUT, "alerts")

    def test_so_is_a_text_that_does_not_read_as_it_should(self) -> None:
        assert isinstance(refused({"format": "text", "pattern": "^OK"}, b"Maintenance"), UncertainError)

    def test_without_an_id_a_yes_is_enough_where_our_reference_comes_back(self) -> None:
        reply = {"ids": "id", "ok": [{"path": "status", "equals": "0"}]}

        assert receipt(reply, {"status": 0}, fields={"dlr": "{callback}"}) == Receipt(Status.ACCEPTED, part=3)
        assert receipt(reply, {"status": 0}, fields={"a": [{"ref": "{reference}"}]}).ids == ()
        assert isinstance(refused(reply, {"status": 0}), UncertainError)

    def test_a_refusal_that_makes_no_sense_is_a_refusal(self) -> None:
        error = refused({"ids": "id"}, b"<html>", 400)

        assert isinstance(error, RejectedError)
        assert error.code == "400"


VERDICTS = [
    ("not_sent", NotSentError, None),
    ("uncertain", UncertainError, None),
    ("rejected", RejectedError, None),
    ("account", AccountError, None),
    ("throttled", ThrottledError, None),
    ("auth", AuthenticationError, None),
    ("quota", CreditError, None),
    *((kind, RejectedError, FailureKind(kind)) for kind in KINDS),
]


class TestVerdicts:
    """What codes and statuses mean."""

    @pytest.mark.parametrize(("verdict", "error", "kind"), VERDICTS)
    @pytest.mark.parametrize("status", [200, 400, 500])
    def test_a_code(self, verdict: str, error: type[DeliveryError], kind: FailureKind | None, status: int) -> None:
        found = refused({"ids": "id", "code": "code", "codes": {"21610": verdict}}, {"code": 21610}, status)

        assert type(found) is error
        assert (found.code, found.channel) == ("21610", "alerts")
        assert getattr(found, "kind", None) == kind

    @pytest.mark.parametrize(("verdict", "error", "kind"), VERDICTS)
    def test_a_status(self, verdict: str, error: type[DeliveryError], kind: FailureKind | None) -> None:
        found = refused({"ids": "id", "statuses": {"418": verdict}}, {}, 418)

        assert type(found) is error
        assert (found.code, getattr(found, "kind", None)) == ("418", kind)

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, RejectedError),
            (401, AuthenticationError),
            (402, CreditError),
            (404, RejectedError),
            (429, ThrottledError),
            (500, UncertainError),
            (503, UncertainError),
            (302, RejectedError),
        ],
    )
    def test_without_a_word_of_the_profile_statuses_mean_what_they_always_do(
        self, status: int, error: type[DeliveryError]
    ) -> None:
        assert type(refused({"ids": "id", "code": "code"}, {"code": "unheard-of"}, status)) is error

    def test_the_most_specific_status_counts(self) -> None:
        statuses = {"4xx": "config", "404": "invalid_address", "404+retry-after": "throttled"}

        assert type(refused({"statuses": statuses}, {}, 404, retry_after=5.0)) is ThrottledError
        assert getattr(refused({"statuses": statuses}, {}, 404), "kind", None) is FailureKind.INVALID_ADDRESS
        assert getattr(refused({"statuses": statuses}, {}, 422), "kind", None) is FailureKind.CONFIG

    def test_codes_compare_without_case_and_are_told_as_they_came(self) -> None:
        assert refused({"code": "e", "codes": {"NO_CREDIT": "quota"}}, {"e": "no_Credit"}, 400).code == "no_Credit"

    def test_of_several_codes_the_listed_one_counts(self) -> None:
        reply = {"code": ["errors.*.code"], "codes": {"40300": "opted_out"}}
        error = refused(reply, {"errors": [{"code": "1"}, {"code": "40300"}]}, 400)

        assert (error.code, getattr(error, "kind", None)) == ("40300", FailureKind.OPTED_OUT)

    def test_a_code_may_stand_inside_of_something_else(self) -> None:
        reply = {"code": "type", "code_matches": "#([a-z0-9-]+)$", "codes": {"low-balance": "quota"}}

        assert type(refused(reply, {"type": "https://api.example/errors#low-balance"}, 422)) is CreditError
        assert refused(reply, {"type": "https://api.example/errors#low-balance"}, 422).code == "low-balance"
        assert refused(reply, {"type": "about:blank"}, 422).code == "about:blank"

    def test_codes_of_reports_mean_the_same_in_answers_where_the_profile_says_so(self) -> None:
        """And what it says of answers only counts before that."""
        codes = {"1": "opted_out", "2": "provider", "3": "failed", "4": "quota"}
        send = {"url": "https://api.example/send", "fields": {"text": "{text}"}}

        def found(code: str, *, shares: bool = True) -> DeliveryError:
            reply = {"code": "code", "shares_codes": shares, "codes": {"2": "not_sent"}}
            said = {"name": "acme", "title": "Acme", "send": send, "reply": reply, "codes": codes}
            with pytest.raises(DeliveryError) as caught:
                Answers(Profile.model_validate(said)).receipt(answer({"code": code}, 400), OUT, "alerts")
            return caught.value

        assert getattr(found("1"), "kind", None) is FailureKind.OPTED_OUT
        assert type(found("2")) is NotSentError
        assert (type(found("3")), getattr(found("3"), "kind", 0)) == (RejectedError, None)
        assert type(found("4")) is CreditError
        assert getattr(found("1", shares=False), "kind", 0) is None

    def test_an_error_inside_a_success(self) -> None:
        reply = {
            "ids": "messages.*.id",
            "ok": [{"path": "messages.0.status", "equals": "0"}],
            "code": "messages.0.status",
            "codes": {"9": "quota"},
        }

        assert receipt(reply, {"messages": [{"status": "0", "id": "m1"}]}).ids == ("m1",)
        assert type(refused(reply, {"messages": [{"status": "9"}]})) is CreditError
        assert type(refused(reply, {"messages": [{"status": "77", "id": "m1"}]})) is RejectedError
        assert type(refused(reply | {"otherwise": "not_sent"}, {"messages": [{"status": "77"}]})) is NotSentError

    def test_some_segments_and_not_others(self) -> None:
        """Resent, the first would come twice; given up, it would have come in pieces: a person has to look."""
        reply = {
            "ids": "messages.*.id",
            "segments": True,
            "ok": [{"path": "messages.*.status", "equals": "0"}],
            "code": "messages.*.status",
        }

        assert type(refused(reply, {"messages": [{"status": "0", "id": "a"}, {"status": "5"}]})) is UncertainError
        assert receipt(reply, {"messages": [{"status": "0", "id": "a"}, {"status": "0", "id": "b"}]}).segments == 2

    def test_what_the_seam_is_told(self) -> None:
        """What ended without an answer keeps its meaning; statuses have that of the profile."""
        outcomes = answers({"statuses": {"500": "not_sent", "404": "invalid_address", "4xx": "account"}}).outcomes

        assert outcomes[Fault.TIMEOUT_AFTER] is Outcome.UNCERTAIN
        assert outcomes[Fault.CONNECT] is Outcome.NOT_SENT
        assert (outcomes[500], outcomes[404], outcomes["4xx"]) == (
            Outcome.NOT_SENT,
            Outcome.REJECTED,
            Outcome.ACCOUNT,
        )


class TestWaits:
    """How long a gateway asks us to wait."""

    def waits(self, wait: dict[str, Any], body: Any, **more: Any) -> float:
        error = refused({"code": "code", "codes": {"1": "throttled"}, "wait": wait}, {"code": 1} | body, **more)
        assert isinstance(error, ThrottledError)
        return error.retry_after

    @pytest.mark.parametrize(("unit", "seconds"), [("milliseconds", 0.25), ("seconds", 250.0), ("minutes", 15000.0)])
    def test_in_its_unit(self, unit: str, seconds: float) -> None:
        assert self.waits({"path": "wait", "unit": unit}, {"wait": 250}) == seconds

    def test_inside_of_words(self) -> None:
        wait = {"path": "text", "matches": r"\[ (\d+) \]", "unit": "milliseconds"}

        assert self.waits(wait, {"text": "Throughput exceeded, wait [ 500 ] milliseconds"}) == 0.5

    def test_the_header_says_it_better(self) -> None:
        assert self.waits({"path": "wait"}, {"wait": 250}, retry_after=7.0) == 7.0

    @pytest.mark.parametrize("said", ["soon", "-5", "1e9", "NaN", "", None, "9" * 400, True])
    def test_what_is_no_number_is_unsaid(self, said: object) -> None:
        assert self.waits({"path": "wait"}, {"wait": said}) == 60.0

    def test_no_number_silences_a_channel_for_good(self) -> None:
        assert self.waits({"path": "wait", "unit": "minutes"}, {"wait": 99999999}) == 31 * 86400


class TestReasons:
    """What the gateway says in words: one short line, and nothing that must not be seen."""

    def reason(self, said: str, **more: Any) -> str:
        return refused({"code": "code", "reason": "message"}, {"code": 1, "message": said}, 400, **more).reason

    def test_is_told(self) -> None:
        assert self.reason("The number is not valid.") == "The number is not valid."

    def test_is_one_line_without_what_would_not_show(self) -> None:
        assert self.reason("a\r\nb\0\tc\u202ed\u2028e\x85f") == "a b c d e f"

    def test_is_cut(self) -> None:
        assert len(self.reason("x" * 100_000)) == 200

    def test_without_one_the_status_speaks(self) -> None:
        assert "Bad Request" in refused({"reason": "message"}, {}, 400).reason

    def test_holds_no_secret(self) -> None:
        said = self.reason("no such key: s3cret-key, of eu", secrets=("s3cret-key", "eu"))

        assert said == "no such key: ***, of eu"

    def test_holds_nothing_of_what_was_sent(self) -> None:
        assert self.reason(f"refused by filter: {TEXT}") == "refused by filter: ***"

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda each: (
                st.lists(each) | st.dictionaries(st.sampled_from(["code", "message", "id", "status", "wait"]), each)
            ),
        ),
        st.sampled_from([200, 202, 400, 429, 500, 503]),
    )
    def test_whatever_comes_ends_in_a_receipt_or_one_of_our_errors(self, body: Any, status: int) -> None:
        reply = {
            "ids": ["id", "*.id"],
            "code": ["code", "*.code"],
            "reason": "message",
            "ok": [{"path": "status", "equals": "0"}],
            "codes": {"1": "throttled"},
            "units": "units",
            "wait": {"path": "wait"},
        }
        try:
            told = answers(reply).receipt(answer(body, status), OUT, "alerts").status.value
        except DeliveryError as error:
            told = f"{error.code}{error.reason}"
        assert told.isprintable()
