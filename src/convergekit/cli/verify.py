"""`convergekit verify`: the contract, done on an adapter that is installed. pytest is not needed."""

from __future__ import annotations

import argparse
import logging
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from convergekit.abc import Adapter
from convergekit.config import adapter_class
from convergekit.errors import ConfigurationError
from convergekit.testing.adapter import (
    BACKENDS,
    SUBJECTS,
    Result,
    Rule,
    Verdict,
    installed_subject,
    rules,
    unusable,
    verify,
    without_subject,
)

from ._console import Console

__all__ = ["run"]

#: What is found of a rule is what the first of these says that one of its checks came to.
_FIRST: Final = (Verdict.BROKEN, Verdict.FAILED, Verdict.KEPT, Verdict.SKIPPED)
_WORDS: Final = {verdict: str(verdict) for verdict in Verdict} | {Verdict.FAILED: "cannot be told"}


def run(args: argparse.Namespace, console: Console) -> int:
    """Print a line for each rule, and all about those that are broken; return 1 where there is one."""
    asked = _asked(args.rule)
    adapter = adapter_class(args.name)
    backends, left_out = _backends(adapter, args.backend)
    subject = installed_subject(adapter)
    console.say(f"{args.name}, on {' and '.join(backends)}{f' ({left_out})' if left_out else ''}:")
    began, found, untold = time.monotonic(), dict[str, Verdict](), list[str]()
    with nullcontext() if args.debug else _quiet():
        for rule in asked:
            results = list(verify(subject or without_subject(adapter), backends=backends, rules=[rule.id]))
            found[rule.id] = _tell(rule, results, console, debug=args.debug)
            if found[rule.id] is Verdict.SKIPPED and any(result.is_untold for result in results):
                untold.append(rule.id)
    if untold:
        console.say(f"not told by the subject, so not proven: {', '.join(untold)}")
    for verdict in (Verdict.BROKEN, Verdict.FAILED):
        if ids := [id for id, what in found.items() if what is verdict]:
            console.say(f"{_WORDS[verdict]}: {', '.join(ids)}")
    counted = Counter(found.values())
    told = ", ".join(f"{counted[verdict]} {_WORDS[verdict]}" for verdict in _FIRST if counted[verdict])
    console.say(f"{len(asked)} rules in {time.monotonic() - began:.1f} s: {told}")
    if subject is None:
        console.warn(
            f"nobody plays the far side of {args.name}, so only its class was checked: write a Subject, and announce it"
            f' by the entry point {args.name} = "package.subject:ItsSubject" of the group {SUBJECTS};'
            " `convergekit new-adapter` shows how"
        )
    return int(bool(counted[Verdict.BROKEN] + counted[Verdict.FAILED]))


def _asked(ids: Sequence[str]) -> Sequence[Rule]:
    try:
        return rules(*ids)
    except LookupError as exc:
        raise ConfigurationError(str(exc)) from None


def _backends(adapter: type[Adapter[Any]], asked: str | None) -> tuple[Sequence[str], str]:
    """Those of *asked*, or of all, on which *adapter* can be checked; and why not on the others."""
    reasons = {backend: unusable(backend, adapter) for backend in ([asked] if asked else BACKENDS)}
    left_out = "; ".join(filter(None, reasons.values()))
    usable = [backend for backend, reason in reasons.items() if reason is None]
    if not usable:
        raise ConfigurationError(f"{adapter.name} cannot be checked: {left_out}")
    return usable, left_out


@contextmanager
def _quiet() -> Generator[None]:
    """Adapters warn of each thing that goes wrong, and here everything does: the checks listen, people need not."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        yield
    finally:
        root.handlers = handlers


def _tell(rule: Rule, results: Sequence[Result], console: Console, *, debug: bool) -> Verdict:
    by_verdict = {each: [result for result in results if result.verdict is each] for each in _FIRST}
    verdict = next((each for each in _FIRST if by_verdict[each]), Verdict.SKIPPED)
    lines = [f"{_WORDS[verdict]:8} {rule.id}"]
    if verdict in (Verdict.BROKEN, Verdict.FAILED):
        lines[0] += f": {rule.demand}"
        lines += [f"why:  {rule.why}", f"page: {rule.page}", *_happened(by_verdict[verdict])]
        lines += [line for result in by_verdict[verdict] if debug for line in result.trace.splitlines()]
    elif skipped := by_verdict[Verdict.SKIPPED]:
        reasons = "; ".join(dict.fromkeys(result.text for result in skipped))
        lines[0] += f": {reasons}" if verdict is Verdict.SKIPPED else f" (in part: {reasons})"
    console.tell(
        "\n         ".join(lines),
        rule=rule.id,
        verdict=verdict,
        demand=rule.demand,
        why=rule.why,
        page=rule.page,
        checks=[_fields(result) for result in results],
    )
    return verdict


def _happened(results: Sequence[Result]) -> list[str]:
    """What happened, in each case once, and on which loops."""
    backends: dict[tuple[str, str], list[str]] = {}
    for result in results:
        backends.setdefault((result.check.case, result.text), []).append(result.backend)
    return [
        f"{f'{case}, ' if case else ''}on {' and '.join(loops)}: {text}" for (case, text), loops in backends.items()
    ]


def _fields(result: Result) -> dict[str, Any]:
    return {
        "case": result.check.case,
        "backend": result.backend,
        "verdict": result.verdict,
        "text": result.text,
        "trace": result.trace,
    }
