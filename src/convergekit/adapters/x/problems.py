"""What X' answer means to what was asked: one of the four outcomes. Pure.

X says what is wrong in several shapes: as a problem (RFC 7807), as several of them under `errors`, as a code and a
message of the time before, as the `error` of OAuth, or not at all: what stands before X answers in HTML, or with
nothing. Rules kept here:

- Whether something was taken is told by the status and by the problem's type, and not by its words; the one exception
  is a duplicate, for which X has no type.
- Who answers 4xx has refused. Where that was not X itself, since it is no JSON, another attempt may get through.
- An answer that cannot be understood leaves open whether a write was done, and a read was not.
- What an error says is X' own words in one line, bounded, without credentials and without the message: X may echo both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from convergekit.errors import (
    AuthenticationError,
    CreditError,
    DeliveryError,
    InvalidInputError,
    NotPermittedError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)
from convergekit.http import HttpAnswer
from convergekit.model import FailureKind

__all__ = ["Act", "Problem", "act_of", "body_of", "outcome", "problem_of", "status_of"]

#: Characters of X' own words in an error.
_WORDS: Final = 200
#: Characters in a row that X' words and ours have in common from which on X' words are an echo.
_ECHO: Final = 16
#: What is shorter is no text that could be recognised.
_SHORT: Final = 4
_WRONG: Final = 400
_REFUSALS: Final = range(400, 600)
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

#: X' codes of the time before it had problems, and what stands for them among the statuses, where X has sent another.
_CODES: Final[Mapping[str, int]] = {"88": 429, "32": 401, "89": 401, "135": 401, "215": 401}
#: Of money and quota, whatever the status is. The rate-limit headers beside it show plenty left.
_QUOTA: Final = frozenset({"credits-depleted", "usage-capped"})
#: About the app, and not about this message or whom it is to.
_OF_THE_APP: Final = frozenset({"client-forbidden", "oauth1-permissions", "unsupported-authentication"})
_DUPLICATE_CODE: Final = "187"
_DUPLICATE: Final = "duplicate-content"
#: What a person does about it.
_NO_CREDIT: Final = "; credit is bought in X' developer console"
_NO_PERMISSION: Final = "; what the app may do is set in X' developer console, and its tokens are made anew after that"
#: Statuses that say that the request was not worked on: too slow, too early.
_NOT_WORKED_ON: Final = frozenset({408, 425})


class Act(Enum):
    """What was asked for."""

    READ = "read"
    POST = "post"
    REPLY = "reply"
    DIRECT = "direct"
    OTHER = "other"


def act_of(method: str, route: str, said: Any) -> Act:
    """What a request with the JSON body *said* asks for."""
    if method == "GET":
        return Act.READ
    if method == "POST" and route.startswith("/2/dm_conversations"):
        return Act.DIRECT
    if method == "POST" and route == "/2/tweets":
        return Act.REPLY if isinstance(said, Mapping) and said.get("reply") else Act.POST
    return Act.OTHER


@dataclass(frozen=True, slots=True)
class Problem:
    """What X says is wrong.

    Args:
        type: The last part of the problem's type, such as "invalid-request"; None where it has none of its own.
        code: X' number of it, or OAuth's word, where there is one.
        status: What the problem itself calls its status, or None.
        words: Title and detail, or the message, as X wrote them.
        raw: All of it.
    """

    type: str | None = None
    code: str | None = None
    status: int | None = None
    words: tuple[str, ...] = ()
    raw: Any = field(default=None, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether X itself has said nothing."""
        return not (self.type or self.code or self.words)


def body_of(answer: HttpAnswer) -> dict[str, Any] | None:
    """The JSON object that *answer* has, {} where it has no content, and None where it has something else."""
    if not answer.body:
        return {}
    try:
        found = answer.json()
    except InvalidInputError:
        return None
    return found if isinstance(found, dict) else None


def problem_of(body: Any) -> Problem:
    """What the parsed *body* says is wrong; an empty `Problem` where it says nothing."""
    each = list(_problems(body))
    return Problem(
        type=next((found for one in each if (found := _type(one))), None),
        code=next((found for one in each if (found := _code(one))), None),
        status=next((one["status"] for one in each if isinstance(one.get("status"), int)), None),
        words=tuple(dict.fromkeys(text for one in each for text in _words(one))),
        raw=body,
    )


def _problems(body: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(body, Mapping):
        return
    yield body
    errors = body.get("errors")
    yield from (each for each in (errors if isinstance(errors, list) else ()) if isinstance(each, Mapping))


def _type(problem: Mapping[str, Any]) -> str | None:
    found = problem.get("type")
    last = found.rpartition("/")[2] if isinstance(found, str) and "/" in found else ""
    return last if _NAME.fullmatch(last) else None


def _code(problem: Mapping[str, Any]) -> str | None:
    found = problem.get("code", problem.get("error"))
    text = str(found) if isinstance(found, int | str) and not isinstance(found, bool) else ""
    return text if _NAME.fullmatch(text) else None


def _words(problem: Mapping[str, Any]) -> Iterator[str]:
    for name in ("title", "detail", "message", "error_description"):
        if isinstance(found := problem.get(name), str) and found:
            yield found


def outcome(
    answer: HttpAnswer,
    body: dict[str, Any] | None,
    act: Act,
    *,
    wait: float = 60.0,
    way_out: str = "",
    hidden: Callable[[], Iterable[str]] = tuple,
    channel: str = "?",
) -> DeliveryError | None:
    """What *answer* means; None where X has done what was asked.

    Args:
        answer: It.
        body: What `body_of` made of it.
        act: What was asked for.
        wait: Seconds to wait where X says that there were too many requests.
        way_out: What a person does where X does not know who asks.
        hidden: Gives what the error must not show: credentials, and what the message says.
        channel: Name of the channel.
    """
    if 200 <= answer.status < 300 and body and "errors" not in body:
        return None
    problem = problem_of(body)
    status = _status(answer, body, problem, act)
    if 200 <= status < 300:
        return _taken(answer, body, act, channel)
    reason = _reason(answer, problem, hidden())
    more: dict[str, Any] = {"channel": channel, "code": problem.type or problem.code or str(answer.status)}
    if status == 402 or problem.type in _QUOTA:
        return CreditError(reason + _NO_CREDIT, **more)
    if status == 401:
        return AuthenticationError(f"{reason}; {way_out}" if way_out else reason, **more)
    if status == 429:
        # A limit is one of a route: what goes another way need not wait.
        return ThrottledError(reason, retry_after=wait, scope="conversation", **more)
    if status >= 500 or status < 200:
        return _unclear(act)(reason, **more)
    if status in _NOT_WORKED_ON or body is None or problem.is_empty:
        return NotSentError(reason, **more)
    return _refused(status, problem, act, reason, more)


def status_of(answer: HttpAnswer, body: dict[str, Any] | None, act: Act) -> int:
    """The status that *answer* stands for where requests and money are counted: X also says in words what it means."""
    if 200 <= answer.status < 300 and body and "errors" not in body:
        return answer.status
    problem = problem_of(body)
    return 402 if problem.type in _QUOTA else _status(answer, body, problem, act)


def _taken(answer: HttpAnswer, body: dict[str, Any] | None, act: Act, channel: str) -> DeliveryError | None:
    if body is None or (not answer.body and answer.status != 204 and act is not Act.OTHER):
        return _unclear(act)("X' answer cannot be read", channel=channel, code=str(answer.status))
    return None


def _unclear(act: Act) -> type[NotSentError | UncertainError]:
    return NotSentError if act is Act.READ else UncertainError


def _status(answer: HttpAnswer, body: Any, problem: Problem, act: Act) -> int:
    """The status, or what stands in its place where X says something else in words of its own."""
    if 200 <= answer.status < 300:
        # A read that finds nothing says so beside an empty answer, and that is an answer; a write that has brought
        # nothing has not been done.
        is_refused = act is not Act.READ and isinstance(body, dict) and "data" not in body and body.get("errors")
        said = problem.status if problem.status is not None and problem.status in _REFUSALS else _WRONG
        return said if is_refused else answer.status
    return _CODES.get(problem.code or "", answer.status) if answer.status < 500 else answer.status


def _refused(status: int, problem: Problem, act: Act, reason: str, more: dict[str, Any]) -> RejectedError:
    # QUIRK(X): a duplicate is a 403 of the type about:blank, so there is nothing but its words to know it by. It is
    # refused in either case; whoever looks for what an earlier attempt has left learns that there is something.
    is_duplicate = problem.code == _DUPLICATE_CODE or any("duplicate content" in each.lower() for each in problem.words)
    if status == 403 and act in (Act.POST, Act.REPLY) and is_duplicate:
        return RejectedError(reason, kind=FailureKind.CONTENT, **{**more, "code": _DUPLICATE})
    if status == 403 and act in _ALTERNATIVES and problem.type not in _OF_THE_APP:
        return NotPermittedError(reason, alternative=_ALTERNATIVES[act], **more)
    if problem.type in _OF_THE_APP:
        reason += _NO_PERMISSION
    if status == 404 and act is Act.DIRECT:
        return RejectedError(reason, kind=FailureKind.INVALID_ADDRESS, **more)
    return RejectedError(reason, kind=_KINDS.get(status, FailureKind.PROVIDER), **more)


_ALTERNATIVES: Final[Mapping[Act, str]] = {
    Act.REPLY: "a direct message to its author, or an answer once they mention or quote the account",
    Act.DIRECT: "a public answer where they wrote, or a direct message once they have written one",
}
_KINDS: Final[Mapping[int, FailureKind]] = {
    400: FailureKind.INVALID_MESSAGE,
    403: FailureKind.NOT_PERMITTED,
    413: FailureKind.TOO_LARGE,
}


def _reason(answer: HttpAnswer, problem: Problem, hidden: Iterable[str]) -> str:
    """What is told: X' own words where they show nothing that is not for others, else the status in ours."""
    ours = [text for text in hidden if len(text) >= _SHORT]
    words = [each for text in problem.words if (each := _line(text)) and not _echoes(text, ours)]
    said = ": ".join(words)
    if not said:
        return f"X: {answer.reason}"
    return f"X says: {said if len(said) <= _WORDS else said[: _WORDS - 1] + '…'}"


def _line(text: str) -> str:
    """*text* in one line, without what is not printed."""
    return " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * _WORDS]).split())


def _echoes(text: str, ours: Iterable[str]) -> bool:
    """Whether *text* repeats one of *ours*, or a good piece of it."""
    text = text[: 4 * _WORDS]
    pieces = {text[at : at + _ECHO] for at in range(len(text) - _ECHO + 1)}
    return any(each in text or any(piece in each for piece in pieces) for each in ours)
