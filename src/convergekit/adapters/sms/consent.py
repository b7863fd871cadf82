"""STOP, START and HELP: what somebody asks for by a word, and what they may mean by a phrase. Pure.

Rules kept here:

- A message that is one word of the channel's lists and nothing else acts: it becomes a `ConsentChanged` beside the
  message. Case, width, blanks and punctuation around it do not count.
- A phrase ("please stop texting me") never acts. It marks the message with `maybe_opt_out`: any reasonable wording
  counts in law (47 CFR 64.1200(a)(10)), and what is reasonable a person decides, or the host.
- The gateway's own word for it counts before ours: it has acted already.
- A refusal comes after the message, and an agreement before it, both in the lane of the conversation. So the handler
  of a STOP may still confirm it, once (47 CFR 64.1200(a)(12)), and that of a START is allowed to answer.
- Where the gateway keeps to STOP and confirms it by itself (`Profile.stops`), the refusal comes first, too: it would
  take no second confirmation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from convergekit.model import ConsentChanged, Event, MessageReceived

from .config import SmsConfig

__all__ = ["Asked", "asked", "may_opt_out", "told"]

#: What a word asks for.
Asked: TypeAlias = Literal["stop", "start", "help"]

_LONGEST_WORD: Final = 60
_LONGEST_PHRASE: Final = 2000
_ONE_WORD: Final = re.compile(r"[\W_]*+(\w*[^\W_])[\W_]*+\Z")
_FEW_WORDS: Final = re.compile(r"\W*+(\w++\W*+){1,3}\Z")
#: Soft hyphens, joiners, marks of direction: a keyboard, or whatever a word was copied from, puts them in between.
_INVISIBLE: Final = re.compile("[\u00ad\u034f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe0f\ufeff]")
#: How people say it who do not use the word. Each is a stem that hardly anybody writes for another reason.
_PHRASES: Final = re.compile(
    r"\b(unsubscri|opt(ed|ing)?[ -]?out|revoke\b|leave me alone\b|wrong number\b"
    r"|(stop|quit|cease|no more|don'?t|do not|never)\b( \w+){0,3} (text|messag|sms|contact|writ|send|spam)"
    r"|(remove|take|delete|get) (me|my (phone )?number)( \w+)? (from|off)\b|take me off\b"
    r"|abmeld|abbestell|austragen\b|keine? (weiteren? |mehr )?(sms|nachrichten|werbung)\b|nicht mehr schreib"
    r"|d[ée]sabonn|d[ée]sinscri|arr[êe]te[rz]?\b|stop au sms\b|ne plus (recevoir|m'[ée]crire)"
    r"|darme de baja\b|dar(se)? de baja\b|no (me )?(env[ií]e|escrib|mand)|d[eé]jen? de\b"
    r"|descadastr|parar de\b|n[ãa]o (me )?(envie|mande)|cancellami\b|disiscri|non (mi )?(scriv|invia)"
    r"|afmeld|uitschrijv|geen (sms|berichten)\b)"
)


def told(message: MessageReceived, config: SmsConfig, *, keyword: str | None = None) -> tuple[Event, ...]:
    """*message*, marked with what it asks for, and the change of consent that goes with it.

    Args:
        message: As it was read.
        config: The channel's, with its lists of words.
        keyword: What the gateway itself says that the message asks for: "stop", "start", "help"; or None.
    """
    text = message.text or ""
    is_whole = not message.details.get("missing")  # the end of a sentence may be "stop"
    word = keyword or (asked(text, config) if is_whole else None)
    if word is None:
        return (_marked(message, maybe_opt_out=True),) if may_opt_out(text, config) else (message,)
    message = _marked(message, keyword=word)
    if word == "help" or message.sender is None:
        return (message,)
    evidence = text.strip()[:_LONGEST_WORD] if keyword is None else f"{config.loaded.name}: {keyword.upper()}"
    consent = ConsentChanged(
        key=f"consent:{message.key}",
        channel=message.channel,
        conversation=message.conversation,
        sender=message.sender,
        at=message.at,
        address=message.sender,
        granted=word == "start",
        evidence=" ".join(evidence.split()),
    )
    return (consent, message) if consent.granted or config.loaded.stops else (message, consent)


def asked(text: str, config: SmsConfig) -> Asked | None:
    """What *text* asks for, being one of the channel's words and nothing else; or None."""
    found = _ONE_WORD.match(_seen(text)) if len(text) <= _LONGEST_WORD else None
    if found is None:
        return None
    return _words(config.stop_words, config.start_words, config.help_words).get(_folded(found[1]))


def may_opt_out(text: str, config: SmsConfig) -> bool:
    """Whether *text* reads as if its sender wants no more messages."""
    if "\n" in text and asked(text.lstrip().partition("\n")[0], config) == "stop":
        return True  # above a signature, or what it answers
    folded = " ".join(_folded(_seen(text[:_LONGEST_PHRASE])).replace("\u2019", "'").split())
    if len(folded) <= _LONGEST_WORD and _FEW_WORDS.match(folded):
        known = _words(config.stop_words, config.start_words, config.help_words)
        if any(known.get(word) == "stop" for word in re.findall(r"\w+", folded)):
            return True
    return _PHRASES.search(folded) is not None


def _marked(message: MessageReceived, **marks: object) -> MessageReceived:
    return message.model_copy(update={"details": {**message.details, **marks}})


def _seen(text: str) -> str:
    """*text* without what nobody sees of it."""
    return text if text.isascii() else _INVISIBLE.sub("", text)


def _folded(text: str) -> str:
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


@lru_cache(maxsize=64)
def _words(stop: tuple[str, ...], start: tuple[str, ...], help_: tuple[str, ...]) -> Mapping[str, Asked]:
    """Where a word is in several lists, it stops."""
    known: dict[str, Asked] = {}
    lists: tuple[tuple[tuple[str, ...], Asked], ...] = ((help_, "help"), (start, "start"), (stop, "stop"))
    for words, meaning in lists:
        known.update(dict.fromkeys(map(_folded, words), meaning))
    return known
