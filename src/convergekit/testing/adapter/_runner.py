"""A check, done: on an event loop of its own, so that any test runner, and none at all, can do it."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus

from convergekit.abc import Adapter, Listens
from convergekit.config.flaws import class_flaw, settings_flaw
from convergekit.errors import place_of

from .._logs import Recorder
from ._bench import DEAF, PATIENCE, Bench
from ._checks import CHECKS, Broken, Check
from ._checks.making import send_flaw
from ._checkup import SubjectError, look_at, settings_of
from ._http import HttpSubject
from ._loop import EscapesError, HangsError, run
from ._rules import RULES
from ._subject import Cannot, Subject, Untold
from ._verbs import implements, lacking
from ._virtual import Time
from ._watch import FAR_SIDE

__all__ = ["BACKENDS", "FIRST", "Result", "Verdict", "perform", "unusable", "verify"]

BACKENDS: Final = ("asyncio", "trio")
_LONGEST: Final = 10.0  # real seconds for one check: what has not ended by then hangs
_PATIENT: Final = 6  # checks that hang; then it is the same with the rest, and nobody waits an hour to hear it

#: Done before all others, since each that listens would otherwise wait in vain for the same.
FIRST: Final = next(check for check in CHECKS if check.rule.id == "says-when-connected" and not check.case)
_WAITS: Final = f"before this can be checked: `listen` has to call task_status.started(), see {FIRST.rule.id}"
#: By adapter and loop: what came of it.
_CONNECTS: Final[dict[tuple[type[Any], str], bool]] = {}
#: ... and how many checks have hung.
_HUNG: Final[Counter[tuple[type[Any], str]]] = Counter()


class Verdict(StrEnum):
    """What became of a check."""

    KEPT = "kept"
    """The rule is kept."""
    BROKEN = "broken"
    """It is not, and `text` says what happened."""
    SKIPPED = "skipped"
    """The rule does not concern this adapter, or the subject cannot play what it needs; `text` says which."""
    FAILED = "failed"
    """The check could not be done, for a reason that nobody foresaw."""


@dataclass(frozen=True, slots=True)
class Result:
    """One check on one event loop.

    Args:
        check: Which.
        backend: The event loop.
        verdict: What became of it.
        text: What happened, or why it was skipped.
        trace: Where, for whoever has to find it; or "".
        is_untold: Whether it was skipped because the subject leaves out what it needs.
    """

    check: Check
    backend: str
    verdict: Verdict
    text: str = ""
    trace: str = ""
    is_untold: bool = False

    @property
    def is_good(self) -> bool:
        """Whether nothing has to be done."""
        return self.verdict in (Verdict.KEPT, Verdict.SKIPPED)

    def __str__(self) -> str:
        """The rule, why it exists and its page; then what happened."""
        case = f"  case: {self.check.case}, on {self.backend}\n" if self.check.case else f"  case: on {self.backend}\n"
        said = {Verdict.BROKEN: "broken:", Verdict.FAILED: "cannot be told:"}.get(self.verdict, f"{self.verdict}:")
        return f"{self.check.rule.head}{case}{said} {self.text}\n{self.trace}".rstrip()


def verify(
    make: Callable[[], Subject], *, backends: Iterable[str] = BACKENDS, rules: Iterable[str] = ()
) -> Iterator[Result]:
    """Do every check, each on a new subject and on each event loop that the adapter declares.

    Args:
        make: The subject; mostly its class.
        backends: Event loops.
        rules: Ids; without any, all of them.

    Raises:
        ConfigurationError: The subject cannot be used; see `perform`.
    """
    asked = set(rules or RULES)
    for backend in backends:
        if asked != {FIRST.rule.id}:
            _try_first(_made(make), backend)
        for check in CHECKS:
            if check.rule.id in asked:
                yield perform(check, _made(make), backend)


def _made(make: Callable[[], Subject]) -> Subject:
    try:
        return make()
    except (Exception, SystemExit) as error:  # whatever its author does there
        said = f"{type(error).__name__}: {error}".strip().removesuffix(":")
        raise SubjectError(f"the subject cannot be made: it raised {said}, at {place_of(error)}") from error


def _try_first(subject: Subject, backend: str) -> None:
    """Once for an adapter, whichever rules are asked: those that listen skip at once where this is broken."""
    look_at(subject)
    if implements(subject.adapter, Listens) and (subject.adapter, backend) not in _CONNECTS:
        perform(FIRST, subject, backend)


def perform(check: Check, subject: Subject, backend: str) -> Result:
    """Do *check* on *subject*, which nobody has used before.

    Raises:
        ConfigurationError: The subject cannot be used: then nothing can be told of the adapter. Says why, on one line.
    """
    look_at(subject)
    reason = _reason_to_skip(check, subject, backend)
    if reason is not None:
        return Result(check, backend, Verdict.SKIPPED, reason)
    result = _performed(check, subject, backend)
    if check is FIRST:
        _CONNECTS[subject.adapter, backend] = result.verdict is not Verdict.BROKEN
    return result


def _performed(check: Check, subject: Subject, backend: str) -> Result:
    if (hung := _HUNG[subject.adapter, backend]) >= _PATIENT:
        return Result(check, backend, Verdict.FAILED, f"{hung} checks before this one have hung: mend those first")
    bench = Bench(subject)
    is_deaf = check.rule is not FIRST.rule and not _CONNECTS.get((subject.adapter, backend), True)

    async def done(time: Time) -> None:
        bench.time = time
        PATIENCE.set(subject.patience)
        DEAF.set(_WAITS if is_deaf else None)
        await _done(check, bench)

    try:
        with _listening_to_logs(bench.records):
            run(done, backend, seconds=_LONGEST)
    except (HangsError, EscapesError) as error:
        _HUNG[subject.adapter, backend] += isinstance(error, HangsError)
        return Result(check, backend, Verdict.BROKEN, str(error))
    except Exception as error:
        first = _first_of(error)
        if isinstance(first, SubjectError):
            raise first from None
        return _judged(check, backend, subject.trouble or first, subject)
    if subject.trouble is not None:
        return _judged(check, backend, subject.trouble, subject)
    return Result(check, backend, Verdict.KEPT)


def _reason_to_skip(check: Check, subject: Subject, backend: str) -> str | None:
    if (flaw := _flaw(subject.adapter, check.rule.id)) is not None:
        return f"before this can be checked: {flaw}"
    reason = unusable(backend, subject.adapter) or lacking(subject.adapter, *check.needs)
    return reason or subject.cannot.get(check.rule.id)


def _flaw(adapter: type[Adapter[Any]], rule: str) -> str | None:
    """What is wrong with the class as such, so that one rule says it, and not each in its own way."""
    looks: Sequence[tuple[str, Callable[[], str | None]]] = (
        ("class-complete", lambda: class_flaw(adapter)),
        ("config-frozen", lambda: settings_flaw(adapter.Config)),
        ("verbs-callable", lambda: send_flaw(adapter)),
    )
    for says, look in looks:
        if rule == says:
            return None
        if (flaw := look()) is not None:
            return flaw
    return None


def unusable(backend: str, adapter: type[Adapter[Any]]) -> str | None:
    """Why nothing of *adapter* can be checked on the event loop *backend*; None where it can."""
    if class_flaw(adapter) is None and backend not in adapter.backends:
        return f"the adapter declares that it does not run on {backend}"
    return f"{backend} is not installed" if find_spec(backend) is None else None


async def _done(check: Check, bench: Bench) -> None:
    """The far side is in a task of its own, so that its tasks can be told from those of the adapter."""
    over = anyio.Event()

    async def far_side(*, task_status: TaskStatus[int]) -> None:
        FAR_SIDE.set(True)
        async with bench.subject.opened():
            task_status.started(anyio.get_current_task().id)
            await over.wait()

    async with anyio.create_task_group() as tasks:
        bench.far_side = await tasks.start(far_side)
        try:
            settings_of(bench.subject)
            await check.run(bench)
        finally:
            over.set()


def _judged(check: Check, backend: str, error: BaseException, subject: Subject) -> Result:
    if isinstance(error, Cannot):
        return Result(check, backend, Verdict.SKIPPED, str(error), is_untold=isinstance(error, Untold))
    if isinstance(error, Broken):
        cause = error.__cause__
        trace = "" if cause is None else "".join(traceback.format_exception(cause))
        return Result(check, backend, Verdict.BROKEN, str(error), trace)
    trace = "".join(traceback.format_exception(error))
    said, place = f"{type(error).__name__}: {error}", _place(error, subject)
    return Result(check, backend, Verdict.FAILED, f"the subject raised {said}, at {place}" if place else said, trace)


def _place(error: BaseException, subject: Subject) -> str:
    """Where *subject*, or a base of its author's, raised *error*: file and line; "" where it came from elsewhere."""
    theirs = {each.__module__ for each in type(subject).__mro__} - {each.__module__ for each in HttpSubject.__mro__}
    steps = traceback.walk_tb(error.__traceback__)
    found = [(step.f_code.co_filename, line) for step, line in steps if step.f_globals.get("__name__") in theirs]
    return f"{Path(found[-1][0]).name}:{found[-1][1]}" if found else ""


def _first_of(error: BaseException) -> BaseException:
    """Of a group, what says most: a rule that is broken, a thing that cannot be played, else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_first_of(each) for each in error.exceptions]
    said = (leaf for kind in (SubjectError, Broken, Cannot) for leaf in leaves if isinstance(leaf, kind))
    return next(said, leaves[0])


@contextmanager
def _listening_to_logs(records: list[logging.LogRecord]) -> Generator[None]:
    """Everything that anybody logs, at every level."""
    root, recorder = logging.getLogger(), Recorder(records)
    before = root.level
    root.addHandler(recorder)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(recorder)
