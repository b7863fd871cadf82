"""From a gateway's answer to one of the four outcomes of an attempt, as the profile says. Pure.

Rules kept here:

- A code that the profile lists says most, then what has to hold of a success, then the HTTP status.
- A success that makes no sense is uncertain: the gateway may have the message, and nothing would match its reports.
- What a gateway says in words is its own text: it becomes one short line, without our secrets and what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, get_args
from urllib.parse import quote, quote_plus

from convergekit.abc import Outgoing
from convergekit.errors import InvalidInputError, RejectedError
from convergekit.http import OUTCOMES, HttpAnswer, Outcome, Outcomes, error_for, keys_for
from convergekit.http.bodies import Item, compiled, read_json, to_text
from convergekit.model import FailureKind, Receipt, Status

from .profile import UNITS, Kind, Profile, Reply, Verdict
from .references import reference_of

__all__ = ["Answers"]

#: Verdicts that are an outcome by themselves; every other is a kind of refusal.
_OUTCOMES: Final[Mapping[Verdict, Outcome]] = {
    "taken": Outcome.TAKEN,
    "not_sent": Outcome.NOT_SENT,
    "uncertain": Outcome.UNCERTAIN,
    "rejected": Outcome.REJECTED,
    "account": Outcome.ACCOUNT,
    "throttled": Outcome.THROTTLED,
    "auth": Outcome.AUTHENTICATION,
    "quota": Outcome.CREDIT,
}
_VERDICTS: Final[Mapping[Outcome, Verdict]] = {outcome: verdict for verdict, outcome in _OUTCOMES.items()}
_KINDS: Final[Mapping[str, Verdict]] = {each: each for each in get_args(Kind)}
_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_LONGEST: Final = 200
_LONGEST_CODE: Final = 64
_LOOKED_AT: Final = 4096  # of what a profile's regular expression is to read
_TELLING: Final = 16  # characters of a text that betray it
_SECRET: Final = 6  # a setting that is shorter is a word like "eu"


class Answers:
    """Reads the answers to one channel's requests.

    Args:
        profile: The gateway.
        secrets: What must not come back in an error, though the gateway may repeat it: the account's settings.
    """

    def __init__(self, profile: Profile, *, secrets: Collection[str] = ()) -> None:
        self._reply: Final[Reply] = profile.reply
        plain = [each for each in secrets if len(each) >= _SECRET]
        in_url = [way(each, safe="") for each in plain for way in (quote, quote_plus)]
        self._secrets = dict.fromkeys((*plain, *in_url))
        self._pattern = re.compile(profile.reply.pattern) if profile.reply.pattern is not None else None
        self._is_ok = compiled(profile.reply.ok)
        wait = profile.reply.wait
        self._waits = re.compile(wait.matches) if wait is not None and wait.matches is not None else None
        self._correlates = profile.send is not None and profile.send.carries_reference
        self._codes: Mapping[str, Verdict] = _codes_of(profile)
        matches = profile.reply.code_matches
        self._code_matches = re.compile(matches) if matches is not None else None
        self._statuses: dict[int | str, Verdict] = {
            (int(status) if status.isdigit() else status): verdict for status, verdict in profile.reply.statuses.items()
        }
        usual: dict[int | str, Verdict] = {key: _VERDICTS[outcome] for key, outcome in OUTCOMES.items()}
        self._verdicts = usual | self._statuses
        #: What an answer, or none, means by itself: for `context.http`.
        self.outcomes: Outcomes = {
            key: _OUTCOMES.get(verdict, Outcome.REJECTED) for key, verdict in self._verdicts.items()
        }

    def receipt(self, answer: HttpAnswer, out: Outgoing, channel: str) -> Receipt:
        """What *answer* says became of *out*.

        Args:
            answer: Of any status.
            out: What was handed over.
            channel: Name of the channel, for errors.

        Raises:
            DeliveryError: It was not taken, or nobody knows; with the gateway's code.
        """
        item = self._read(answer)
        codes = [] if item is None else [*self._codes_in(item)]
        listed = next((code for code in codes if code.casefold() in self._codes), None)
        of_code = None if listed is None else self._codes[listed.casefold()]
        ids = [] if item is None else self._ids(item)
        verdict, why = self._judged(answer, item, ids, codes, of_code)
        if verdict == "taken":
            return self._receipt(item, ids, out)
        reason = self._shown(item, out) or why or answer.reason
        code = listed or next((self._told(each, out) for each in codes), None) or str(answer.status)
        if verdict in _OUTCOMES:
            wait = self._wait(answer, item)
            error = error_for(_OUTCOMES[verdict], reason, code=code, retry_after=wait, channel=channel)
            assert error is not None
            raise error
        raise RejectedError(reason, kind=FailureKind(verdict), code=code, channel=channel)

    def _read(self, answer: HttpAnswer) -> Item | None:
        """The fields of *answer*; None where it makes no sense, or is not all there."""
        if not answer.complete:
            return None
        if self._pattern is not None:
            found = self._pattern.search(answer.body[:_LOOKED_AT].decode("utf-8", "replace"))
            return None if found is None else Item(found.groupdict())
        try:
            item = read_json(answer.body)
        except InvalidInputError:
            return None
        return item if isinstance(item.value, dict | list) else None

    def _judged(
        self, answer: HttpAnswer, item: Item | None, ids: list[str], codes: list[str], of_code: Verdict | None
    ) -> tuple[Verdict, str | None]:
        """The verdict; and why, where that is for us to say."""
        key, verdict = self._of_status(answer)
        if verdict != "taken":
            return of_code or verdict, None
        if not 200 <= answer.status <= 299 or key in self._statuses:
            return of_code or "taken", None  # the profile vouches for it, whatever stands behind
        reply = self._reply
        if item is None:
            needs = reply.ok or reply.ids or self._pattern
            return ("uncertain" if needs else "taken"), "the answer makes no sense, and it may have been taken"
        if reply.segments and len({code.casefold() for code in codes}) > 1:
            return "uncertain", "some of its segments were taken, and others were not"
        if reply.ok and not self._is_ok(item):
            says = bool(codes or item.text(reply.reason) or any(item.all(each.path) for each in reply.ok))
            if of_code is not None or says:
                return of_code or reply.otherwise, "the gateway has not taken it, and does not say why"
            return "uncertain", "the answer says neither yes nor no: it may have been taken"
        if not reply.ok and of_code is not None:
            return of_code, None
        if reply.ids and not ids and not (reply.ok and self._correlates):
            return "uncertain", "the answer lacks the message's id: it may have been taken"
        return "taken", None

    def _of_status(self, answer: HttpAnswer) -> tuple[int | str, Verdict]:
        """What the table says about the status, the most specific key first, and that key."""
        keys = keys_for(answer.status, retry_after=answer.retry_after)
        key = next((key for key in keys if key in self._verdicts), answer.status)
        return key, self._verdicts.get(key, "uncertain")

    def _codes_in(self, item: Item) -> Iterator[str]:
        for path in self._reply.code:
            for value in item.all(path):
                if code := _one_line(self._code_in(to_text(value) or ""))[:_LONGEST_CODE]:
                    yield code

    def _code_in(self, text: str) -> str:
        if self._code_matches is None:
            return text
        found = self._code_matches.search(text[: 2 * _LONGEST])
        return found[1] or "" if found is not None and found.re.groups else text

    def _ids(self, item: Item) -> list[str]:
        """The ids at the first path that leads to any; each once."""
        for path in self._reply.ids:
            ids = [id for value in item.all(path) if (id := _id(value))]
            if ids:
                return list(dict.fromkeys(ids))
        return []

    def _receipt(self, item: Item | None, ids: list[str], out: Outgoing) -> Receipt:
        reply = self._reply
        if not ids and not reply.ids and self._correlates:
            ids = [reference_of(out)]  # a gateway that gives none: its reports come with ours
        units = None if item is None or reply.units is None else _whole(item.text(reply.units))
        segments = len(ids) if reply.segments and ids else None
        units = segments if units is None else units
        return Receipt(Status.ACCEPTED, ids=ids, part=out.index, units=units, segments=segments)

    def _wait(self, answer: HttpAnswer, item: Item | None) -> float | None:
        """Seconds to wait: what the header says, else what the body does."""
        wait = self._reply.wait
        if answer.retry_after is not None or wait is None or item is None:
            return answer.retry_after
        text = item.text(wait.path)
        if text is not None and self._waits is not None:
            found = self._waits.search(text[:_LOOKED_AT])
            text = found and found[1 if self._waits.groups else 0]
        return float(text) * UNITS[wait.unit].total_seconds() if text and _NUMBER.fullmatch(text.strip()) else None

    def _shown(self, item: Item | None, out: Outgoing) -> str | None:
        """What the gateway says in words, without secrets and without what was sent."""
        said = None if item is None else item.text(self._reply.reason)
        return _one_line(self._told(said, out)) or None if said is not None else None

    def _told(self, said: str, out: Outgoing) -> str:
        """*said* without secrets, and without what was sent."""
        for secret in self._secrets:
            said = said.replace(secret, "***")
        if len(beginning := out.part.text[:_TELLING]) >= _SECRET and beginning in said:
            said = said.partition(beginning)[0] + "***"
        return said


def _codes_of(profile: Profile) -> dict[str, Verdict]:
    """What each code means, whatever its case. A kind of failure in a report is the same of an answer."""
    shared = profile.codes if profile.reply.shares_codes else {}
    kinds = {code: _KINDS[word] for code, word in shared.items() if word in _KINDS}
    return {code.casefold(): verdict for code, verdict in (kinds | profile.reply.codes).items()}


def _one_line(text: str) -> str:
    """*text* without control characters and what else would not show, on one line, cut off where it gets long."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text[: 2 * _LONGEST]).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def _id(value: Any) -> str | None:
    """An id can be a text or a number; what is no line of a reasonable length names nothing."""
    text = None if isinstance(value, bool) else to_text(value)
    return text if text and len(text) <= _LONGEST and text.isprintable() and text.strip() == text else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,6}", text) else None
