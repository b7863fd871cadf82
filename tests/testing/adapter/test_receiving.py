"""What the checks of receiving say, and media of other forms than JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode

import anyio
import pytest

from convergekit.abc import Polled, Request
from convergekit.adapters.loopback import LoopbackAdapter
from convergekit.errors import InvalidInputError
from convergekit.model import Address, Attachment, Event, MessageReceived, ReactionChanged
from convergekit.testing.adapter import Call, Cannot, Result, Sample, Subject, Verdict, verify
from tests.testing.adapter.subjects import LoopbackSubject, PigeonSubject, TelegraphSubject, pigeons


def results(subject: type[Subject], rule: str, case: str = "") -> list[Result]:
    return [each for each in verify(subject, backends=["asyncio"], rules=[rule]) if case in each.check.case]


def broken(subject: type[Subject], rule: str, case: str = "") -> list[str]:
    return [each.text for each in results(subject, rule, case) if each.verdict is Verdict.BROKEN]


def kept(subject: type[Subject], rule: str, case: str = "") -> bool:
    found = results(subject, rule, case)
    assert found
    return {each.verdict for each in found} == {Verdict.KEPT}


# Samples

BIG = b"x" * 100_000
FILE = {"data": BIG, "name": "big.txt", "media_type": "text/plain"}
NOTE = {"key": "1", "sender": "loopback:ann", "text": "Hello.", "attachments": [FILE]}


def with_sample(*events: Event, said: Any = NOTE) -> type[Subject]:
    return type("With", (LoopbackSubject,), {"samples": [Sample("a note", said, events)]})


def test_a_sample_is_compared_in_the_fields_that_it_sets() -> None:
    """And its attachments by their bytes, wherever the ledger keeps them."""
    note = MessageReceived(sender="loopback:ann", attachments=[Attachment(data=BIG, name="big.txt")])
    assert kept(with_sample(note), "says-what-came", "poll/samples")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            MessageReceived(sender="loopback:bob"),
            "a note: MessageReceived.sender.uri is 'loopback:ann' and not 'loopback:bob'",
        ),
        (MessageReceived(text="Bye."), "a note: MessageReceived.text is 'Hello.' and not 'Bye.'"),
        (MessageReceived(thread="t1"), "a note: MessageReceived.thread is None and not 't1'"),
        (ReactionChanged(target="1"), "a note: it stands for ReactionChanged, and became MessageReceived"),
    ],
)
def test_what_is_other_than_in_the_sample_is_told(event: Event, text: str) -> None:
    assert broken(with_sample(event), "says-what-came", "listen/samples") == [text]


def test_a_payload_that_stands_for_nothing_is_a_sample_too() -> None:
    assert broken(with_sample(said=NOTE), "says-what-came", "listen/samples") == [
        "a note: it stands for nothing, and became MessageReceived"
    ]


def test_samples_of_another_way_in_are_left_out() -> None:
    class Both(TelegraphSubject):
        samples = (Sample("a mail", Call(b"no JSON"), []), *TelegraphSubject.samples[:1])

        async def feed(self, said: Any) -> None:
            if isinstance(said, Call):
                raise Cannot("this comes by mail")
            await super().feed(said)

    assert kept(Both, "says-what-came", "poll/samples")


def test_without_samples_there_is_a_reason() -> None:
    (result,) = results(type("Bare", (PigeonSubject,), {"samples": ()}), "says-what-came", "webhook/samples")
    assert result.verdict is Verdict.SKIPPED
    assert result.text.startswith("this subject has no samples")


# A medium that speaks in forms


class FormAdapter(pigeons.PigeonAdapter):  # type: ignore[misc, name-defined]
    """As the pigeons', with bodies as a browser sends them."""

    def parse(self, request: Request) -> Sequence[Event]:
        try:
            return [self.read({name: values[0] for name, values in parse_qs(request.body.decode()).items()})]
        except (ValueError, LookupError):
            raise InvalidInputError("this is no note") from None

    def read(self, form: Mapping[str, str]) -> Event:
        sender = Address.build("pigeon", form["From"])
        return MessageReceived(key=form["Id"], sender=sender, text=form["Body"], native=dict(form))


class FormSubject(PigeonSubject):
    adapter = FormAdapter
    samples = ()

    def message(self, *, id: str, sender: str, text: str) -> bytes:
        return urlencode({"Id": id, "From": sender.removeprefix("pigeon:"), "Body": text}).encode()


RECEIVING = ["says-what-came", "original-kept", "nonsense-is-invalid-input", "keys-stable", "verify-raises-one-error"]


def test_a_medium_that_speaks_in_forms_passes() -> None:
    verdicts = {each.verdict for each in verify(FormSubject, rules=RECEIVING)}
    assert verdicts == {Verdict.KEPT, Verdict.SKIPPED}
    assert kept(FormSubject, "original-kept", "webhook")


def test_a_field_that_is_missing_is_tried_in_a_form_as_well() -> None:
    class Trusting(FormAdapter):
        def parse(self, request: Request) -> Sequence[Event]:
            form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
            if "Id" not in form:
                raise InvalidInputError("this is no note")
            return [self.read(form)]

    subject = type("TrustingSubject", (FormSubject,), {"adapter": Trusting})
    assert broken(subject, "nonsense-is-invalid-input", "changed") == [
        "with a body with From missing, `parse` raised KeyError"
    ]


# What is no document at all


class LineAdapter(LoopbackAdapter):
    """Keeps the line as it came."""

    async def poll(self, feed: str, cursor: Any) -> Polled:
        lines: Any = self.medium.page(cursor or 0)
        return Polled([self.read(line["key"]) for line in lines], (cursor or 0) + len(lines))

    def read(self, line: str) -> Event:
        id, sender, text = line.split(" ", 2)
        return MessageReceived(key=id, sender=sender, text=text, native=line.encode())


class LineSubject(LoopbackSubject):
    adapter = LineAdapter

    def message(self, *, id: str, sender: str, text: str) -> Any:
        return f"{id} {sender} {text}"

    async def feed(self, said: Any) -> None:
        self.medium.post(key=said)


def test_an_original_that_has_no_form_is_compared_by_what_it_says() -> None:
    assert kept(LineSubject, "original-kept", "poll")


def test_an_original_that_has_no_form_may_not_be_cut() -> None:
    class Cutting(LineAdapter):
        def read(self, line: str) -> Event:
            return super().read(line).model_copy(update={"native": line.split(" ", 1)[1]})

    subject = type("CuttingSubject", (LineSubject,), {"adapter": Cutting})
    assert broken(subject, "original-kept", "poll") == ["`native` lacks what was in the original: id-1"]


# What goes wrong while hearing


def test_how_listening_ended_is_told() -> None:
    class Fragile(LoopbackAdapter):
        async def listen(self, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
            task_status.started()
            await self.medium.next_pushed()
            raise KeyError("sender")

    subject = type("FragileSubject", (LoopbackSubject,), {"adapter": Fragile})
    assert broken(subject, "nonsense-does-not-stop", "listen") == ["`listen` raised KeyError"]


def test_a_poll_that_never_ends_is_found_out() -> None:
    class Endless(LoopbackAdapter):
        async def poll(self, feed: str, cursor: Any) -> Polled:
            return Polled(cursor=0, more=True)

    subject = type("EndlessSubject", (LoopbackSubject,), {"adapter": Endless})
    assert broken(subject, "poll-repeats-until-stored") == [
        "after 1000 polls it says that there is more to fetch at once"
    ]


def test_a_far_side_that_signs_without_the_secret_cannot_be_checked() -> None:
    subject = type("Careless", (PigeonSubject,), {"sign": lambda *_, **__: {"pigeon-signature": "signed"}})
    found = results(subject, "forged-refused", "end")
    assert [(each.verdict, each.text.partition(":")[0]) for each in found] == [
        (Verdict.SKIPPED, "signed by another secret, a call has the same headers")
    ]
