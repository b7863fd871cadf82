"""The channel, broken on purpose in one place: the contract notices, by the rule that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any, Final

import pytest
from anyio.abc import TaskStatus

from convergekit.adapters.xmpp import holder, intake, session
from convergekit.adapters.xmpp.archives import CatchUp
from convergekit.adapters.xmpp.sending import Sender
from convergekit.adapters.xmpp.stanzas import outbound
from convergekit.adapters.xmpp.stanzas.inbound import arrival, reader
from convergekit.adapters.xmpp.subject import XmppSubject
from convergekit.adapters.xmpp.transport import _counts, _wire
from convergekit.adapters.xmpp.transport import stream as transport
from convergekit.errors import NotSentError
from convergekit.testing.adapter import Verdict, verify

Break = Callable[[pytest.MonkeyPatch], None]
MUTANTS: Final[list[tuple[str, Break]]] = []


def breaks(rule: str) -> Callable[[Break], Break]:
    def note(mutant: Break) -> Break:
        MUTANTS.append((rule, mutant))
        return mutant

    return note


@breaks("ack-after-admit")
def tells_the_server_what_it_has_only_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_counts.Handled, "given", _counts.Handled.done)


@breaks("no-ack-without-admit")
def tells_the_server_what_the_ledger_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_counts.Handled, "given", _counts.Handled.done)


@breaks("offered-again")
def goes_on_counting_where_it_has_only_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_counts.Handled, "given", _counts.Handled.done)
    patch.setattr(CatchUp, "run", _nothing(True))


@breaks("keys-scoped-by-sender")
def knows_a_message_by_its_id_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arrival, "key_of", lambda stanza, *_: f"m:{stanza.origin_id}")


@breaks("keys-stable")
def gives_a_message_another_key_each_time(patch: pytest.MonkeyPatch) -> None:
    numbers = count()
    patch.setattr(arrival, "key_of", lambda *_: f"m:{next(numbers)}")


@breaks("own-messages-ignored")
def hears_itself(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reader, "_our_own", lambda found: reader._message(found, ""))


@breaks("started-before-first-byte")
def says_too_late_that_something_leaves(patch: pytest.MonkeyPatch) -> None:
    whole = Sender._deliver

    async def deliver(self: Any, out: Any, *rest: Any) -> Any:
        receipt = await whole(self, replace(out, started=lambda: None), *rest)
        out.started()
        return receipt

    patch.setattr(Sender, "_deliver", deliver)


@breaks("same-key-once")
def gives_a_repeat_an_id_of_its_own(patch: pytest.MonkeyPatch) -> None:
    numbers = count()
    patch.setattr(outbound, "origin_id", lambda *_: f"ck.{next(numbers)}")


@breaks("lost-answer-uncertain")
def takes_what_was_not_acknowledged_for_not_sent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(holder, "UncertainError", NotSentError)


@breaks("drop-raises")
def connects_again_by_itself(patch: pytest.MonkeyPatch) -> None:
    once = session.Session.listen

    async def listen(self: Any, *, task_status: TaskStatus[None]) -> None:
        told: list[bool] = []

        class Once:
            def started(self, value: None = None) -> None:
                if not told:
                    told.append(True)
                    task_status.started()

        while True:
            try:
                await once(self, task_status=Once())
            except NotSentError:
                continue

    patch.setattr(session.Session, "listen", listen)


@breaks("says-when-connected")
def says_that_it_is_connected_and_then_connects(patch: pytest.MonkeyPatch) -> None:
    later = session.Session.listen

    async def listen(self: Any, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await later(self)

    patch.setattr(session.Session, "listen", listen)


@breaks("refused-login-stops")
def knocks_again_with_a_password_that_was_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_wire, "refused_login", lambda *_: NotSentError("not now"))


@breaks("leaves-nothing")
def leaves_its_connection_behind(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(transport.XmppStream, "close", _nothing(None))


@breaks("nonsense-does-not-stop")
def stops_where_it_understands_nothing(patch: pytest.MonkeyPatch) -> None:
    def read(self: Any, stanza: Any) -> Any:
        found = whole(self, stanza)
        if any(getattr(event, "name", None) in ("xmpp.unreadable", "xmpp.message") for event in found.events):
            raise RuntimeError
        return found

    whole = intake.Intake._read
    patch.setattr(intake.Intake, "_read", read)


@breaks("no-content-logged")
def logs_what_was_said(patch: pytest.MonkeyPatch) -> None:
    whole = intake.Intake.read

    def read(self: Any, stanzas: Any) -> Any:
        for each in stanzas:
            self._context.log.debug("read: %s", "".join(each.element.itertext()))
        return whole(self, stanzas)

    patch.setattr(intake.Intake, "read", read)


def _nothing(value: Any) -> Any:
    async def nothing(*_: Any, **__: Any) -> Any:
        return value

    return nothing


@pytest.mark.parametrize(("rule", "mutant"), MUTANTS, ids=lambda each: getattr(each, "__name__", None))
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_is_noticed(rule: str, mutant: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(XmppSubject):
        patience = 0.5  # what a broken channel does not do is waited for in vain

    mutant(monkeypatch)
    results = [*verify(Impatient, backends=["asyncio"], rules=[rule])]
    assert any(each.verdict is Verdict.BROKEN for each in results), [f"{each.verdict} {each.text}" for each in results]
