"""Every promise of an adapter, as data: what it demands, and why.

`docs/plugins/rules.md` is written from this table. An id, once published, keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .._rule import Rule, table

__all__ = ["RULES", "Rule", "rules"]


_CLASS, _LIFE, _SENDING = "the-class", "life", "sending"
_OUTCOMES, _FIRST_BYTE, _UNCERTAIN = "the-four-outcomes", "the-first-byte", "after-uncertain"
_CAPABILITIES, _RECEIVING, _LISTENS = "capabilities", "receiving", "listens-a-connection-on-which-the-medium-speaks"
_POLLS, _WEBHOOKS = "polls-the-engine-asks", "receiveswebhooks-the-medium-calls"
_REPORTS, _VERBS, _CHECK, _MANNERS = "reports", "optional-verbs", "check", "manners"

RULES: Final[Mapping[str, Rule]] = table(
    # The class and its settings
    Rule(
        "class-complete",
        "The class has a name, schemes in lower case without the colon, backends that exist, and a Config.",
        "By these the hub finds it and routes to it; what is missing shows only when somebody wants to send.",
        _CLASS,
    ),
    Rule(
        "verbs-callable",
        "Each verb that is implemented can be called as the engine calls it.",
        "A protocol looks at names only: a parameter that is missing fails at the first message that needs it.",
        _VERBS,
    ),
    Rule(
        "config-frozen",
        "Settings are frozen, refuse unknown names, and have no name that every channel has.",
        "A misspelt setting would be ignored in silence, and settings that change under way are true nowhere.",
        _CLASS,
    ),
    Rule(
        "config-schema",
        "The settings have a JSON schema, and each of them a description.",
        "Editors, documentation and `convergekit check` are made from it.",
        _CLASS,
    ),
    Rule(
        "secrets-masked",
        "What is secret is a SecretStr: no repr, text, or validation error of the settings shows it.",
        "Settings are printed in tracebacks and logs, which many people read.",
        _CLASS,
    ),
    Rule(
        "dsn-round-trip",
        "Where there are from_dsn and to_dsn, what the one reads the other writes, with every secret masked.",
        "A DSN stands in one environment variable; what does not survive there is another channel.",
        _CLASS,
    ),
    Rule(
        "init-does-nothing",
        "Making an adapter does no I/O and starts nothing; limits and verbs are there before it is opened.",
        "Plans are made while a channel is closed, and a listing of adapters must reach nobody.",
        _LIFE,
    ),
    Rule(
        "channels-apart",
        "Two channels of one adapter share nothing: each uses its own settings and context.",
        "One process serves many accounts, maybe of many tenants; what is in the class belongs to all of them.",
        _CLASS,
    ),
    # How an attempt ends
    Rule(
        "taken-is-receipt",
        "What the far side has taken ends in a Receipt, with a status that `capabilities.receipts` names.",
        "The receipt is what the sender is told; a status that was not declared is one that nobody waits for.",
        _OUTCOMES,
    ),
    Rule(
        "receipt-has-ids",
        "Where reports or further verbs name a message later, its receipt carries ids, and no other message has them.",
        "Without them a report finds its message only by guessing, and an edit waits for ever.",
        _OUTCOMES,
    ),
    Rule(
        "unreachable-not-sent",
        "Where there was no connection, the attempt ends in NotSentError.",
        "Only then is it tried again by itself; anything else stops, or loses, a message that nobody has seen.",
        _OUTCOMES,
    ),
    Rule(
        "refused-rejected",
        "What the far side refuses for good ends in RejectedError, with the remote's own code.",
        "Trying again would end the same way, and the code is what a person looks up.",
        _OUTCOMES,
    ),
    Rule(
        "account-refused",
        "Where the account is refused, the attempt ends in AccountError.",
        "It takes the channel down and keeps its messages queued; anything else burns them one by one.",
        _OUTCOMES,
    ),
    Rule(
        "throttled-says-when",
        "Too many requests end in ThrottledError, with the wait that the answer asks for, in seconds or as a date.",
        "Waiting costs no attempt; coming back too early gets an account blocked, too late delays everybody.",
        _OUTCOMES,
    ),
    Rule(
        "lost-answer-uncertain",
        "Where the connection ends after the message went out and before the answer, it is UncertainError.",
        "The message may have been taken: sent again blindly it arrives twice.",
        _OUTCOMES,
    ),
    Rule(
        "malformed-answer-uncertain",
        "An answer that makes no sense never ends as refused or not sent, and is a Receipt only if nothing is missing.",
        "The message may have been taken: sent again blindly it arrives twice, and called refused it is given up.",
        _OUTCOMES,
    ),
    Rule(
        "server-error-uncertain",
        "A failure of the far side's, with an error page or without, is UncertainError unless its documents say more.",
        "A 500 comes from any stage of the work, also from after the message was handed on.",
        _OUTCOMES,
    ),
    Rule(
        "silence-uncertain",
        "A far side that took the message and does not answer ends, by the time-out, as uncertain.",
        "The message may have been taken: sent again blindly it arrives twice.",
        _OUTCOMES,
    ),
    Rule(
        "only-our-errors",
        "Nothing escapes from `send` but the errors of the contract.",
        "The text of a library's exception may hold a URL or a token, and what it means for the message nobody knows.",
        _OUTCOMES,
    ),
    Rule(
        "started-before-first-byte",
        "`out.started()` is called before the far side gets the first byte.",
        "By it the engine tells a message that never left from one that may have arrived.",
        _FIRST_BYTE,
    ),
    Rule(
        "one-attempt",
        "One call of `send` hands the message over at most once, whatever the answer.",
        "Attempts are counted, spaced and remembered by the engine; a loop of the adapter's own doubles in silence.",
        _UNCERTAIN,
    ),
    Rule(
        "same-key-once",
        "Where idempotency is declared, the same key twice is one message at the far side, and another key another.",
        "The engine sends again after an uncertain outcome because of that declaration alone.",
        _UNCERTAIN,
    ),
    Rule(
        "many-at-once",
        "Messages that are sent at once each arrive once, as themselves, and each call ends as its own message did.",
        "Conversations are sent in side by side; what is kept in the instance meanwhile belongs to somebody else.",
        _LIFE,
    ),
    Rule(
        "usable-after-failure",
        "After a send that failed, however it failed, one of the next works.",
        "A lock that stays held, or a connection that nobody makes again, looks like a medium that is down for ever.",
        _OUTCOMES,
    ),
    # Cancellation
    Rule(
        "cancellation-passes",
        "What is cancelled, at any await, ends by the cancellation: a send, the opening, `listen`.",
        "What swallows it holds up the shutdown, and calls an outcome known that is not.",
        _FIRST_BYTE,
    ),
    Rule(
        "usable-after-cancel",
        "After a cancelled send, wherever it was cut off, the next one works.",
        "A lock that stays held, or a connection in the midst of an answer, breaks every send from then on.",
        _FIRST_BYTE,
    ),
    # Content
    Rule(
        "to-whom",
        "A message goes to the one it is for, whoever was written to before, and names nobody else.",
        "What was said to one person is read by another.",
        _SENDING,
    ),
    Rule(
        "text-whole",
        "The text of a part arrives whole: nothing is cut, at any length up to the limit.",
        "Half a message is worse than none, and nobody learns of it.",
        _SENDING,
    ),
    Rule(
        "limits-hold",
        "What is as long, or as many, as a declared limit allows is taken by the far side, in the declared unit.",
        "Messages are split by that limit; claimed too high, every long message is refused.",
        _CAPABILITIES,
    ),
    Rule(
        "parts-in-order",
        "Parts of a message go out in order, and after a failure only the missing ones.",
        "A message in another order says something else.",
        _SENDING,
    ),
    Rule(
        "attachments-whole",
        "Where attachments are declared, each arrives, byte for byte.",
        "A file that is lost or cut on the way is found out by its reader, too late.",
        _CAPABILITIES,
    ),
    Rule(
        "declared-is-carried",
        "What is declared as carried arrives: subject, copies, threads, the message that is answered.",
        "What is declared is not put into the text any more, so if it is dropped it is gone.",
        _CAPABILITIES,
    ),
    Rule(
        "unsupported-refused",
        "Letters, links and `native` that it cannot carry are an UnsupportedContentError, before anything leaves.",
        "What is dropped in silence was said, for its sender, and never heard.",
        _CAPABILITIES,
    ),
    Rule(
        "hostile-text-harmless",
        "Control characters in text, names and addresses do not become headers or frames of the wire.",
        "Whoever writes to you would write commands to your provider.",
        _MANNERS,
    ),
    Rule(
        "input-untouched",
        "`send` changes nothing of what it was given.",
        "The same values are used for the next attempt, and for the other legs.",
        _SENDING,
    ),
    Rule(
        "verbs-work",
        "Each further verb (edit, retract, react, mark_read ...) does what it says, with the four outcomes of `send`.",
        "Having the method is the promise.",
        _VERBS,
    ),
    Rule(
        "receipts-reachable",
        "Each status that `capabilities.receipts` names can be reached, and no other is ever reported.",
        "Whoever waits for a read receipt that never comes waits for ever.",
        _CAPABILITIES,
    ),
    # Receiving
    Rule(
        "says-what-came",
        "What comes in becomes the events that it stands for, with sender and conversation.",
        "A handler answers to where the event says.",
        _RECEIVING,
    ),
    Rule(
        "ack-after-admit",
        "The medium is told only after `admit` has returned.",
        "A crash between the two loses the message: the medium thinks that we have it, and we do not.",
        _RECEIVING,
    ),
    Rule(
        "no-ack-without-admit",
        "Where `admit` fails, the medium is not told that we have it.",
        "It would forget what nobody has stored.",
        _RECEIVING,
    ),
    Rule(
        "offered-again",
        "What could not be stored is offered to the ledger again when the medium says it again.",
        "What remembers an id before it is stored takes the second time for a repeat, and loses the message.",
        _RECEIVING,
    ),
    Rule(
        "keys-stable",
        "What the medium delivers again has the key that it had, and so gives one event.",
        "Every medium repeats; with another key the handler answers twice.",
        _RECEIVING,
    ),
    Rule(
        "keys-distinct",
        "Two messages have two keys, also where they say the same.",
        "The second would be taken for a repeat, and lost.",
        _RECEIVING,
    ),
    Rule(
        "keys-scoped-by-sender",
        "Where peers choose ids, the same id from two senders gives two keys.",
        "Anybody could make a stranger's message vanish, by sending its id first.",
        _RECEIVING,
    ),
    Rule(
        "lanes-right",
        "Messages of one conversation share a lane, in the order in which they came; two conversations do not.",
        "In a lane of their own messages overtake each other; in a common one a slow talk holds up all others.",
        _RECEIVING,
    ),
    Rule(
        "original-kept",
        "`native` is the untouched original.",
        "What the translator overlooked is gone for good otherwise.",
        _RECEIVING,
    ),
    Rule(
        "own-messages-ignored",
        "What we sent ourselves does not come back as a message to us; what others say in the same words does.",
        "We would answer ourselves, for ever; or not hear who says yes to a yes.",
        _RECEIVING,
    ),
    Rule(
        "nonsense-does-not-stop",
        "What makes no sense does not end hearing: what comes after it arrives.",
        "One bad message would come again at each restart, and nobody would be heard any more.",
        _LISTENS,
    ),
    Rule(
        "nonsense-noted",
        "What makes no sense on a connection or in a feed is kept as a CustomReceived, or at least noted in the log.",
        "It may have been a message: its sender waits for an answer, and nobody knows of it.",
        _LISTENS,
    ),
    Rule(
        "poll-repeats-until-stored",
        "A poll from the same cursor finds the same again.",
        "A crash before the cursor was stored loses what the medium has forgotten meanwhile.",
        _POLLS,
    ),
    Rule(
        "poll-goes-on",
        "A poll from the new cursor, also by another instance, finds all that came since; a cursor is plain JSON.",
        "The cursor is stored with the events; what cannot be written down cannot be gone on from.",
        _POLLS,
    ),
    Rule(
        "poll-tells-failure",
        "A poll that fails raises as `send` does; it is never an empty page.",
        "A feed that nobody lets us read looks like one in which nothing was said, and nobody learns of it.",
        _POLLS,
    ),
    # Webhooks
    Rule(
        "unsigned-refused",
        "A call without a signature is refused with SignatureError.",
        "The address is public: anybody could say anything in anybody's name.",
        _WEBHOOKS,
    ),
    Rule(
        "forged-refused",
        "A call that is signed by another secret, or with another body, is refused with SignatureError.",
        "The address is public: anybody could say anything in anybody's name.",
        _WEBHOOKS,
    ),
    Rule(
        "compares-in-constant-time",
        "A signature, or a secret, is compared by what takes the same time whatever was right of it.",
        "From the time that a comparison takes, whoever may call often enough learns the signature.",
        _WEBHOOKS,
    ),
    Rule(
        "stale-refused",
        "Where signatures carry a time, one that is old is refused with SignatureError.",
        "A recorded call would be good for ever.",
        _WEBHOOKS,
    ),
    Rule(
        "replay-once",
        "A signed call that comes twice gives one event, and the same answer.",
        "Providers repeat a call whose answer they did not see, and an answer that differs is repeated again.",
        _WEBHOOKS,
    ),
    Rule(
        "rotation",
        "While a secret is replaced, calls by the old and by the new one are taken.",
        "The two sides never change at the same moment; what comes between is lost.",
        _WEBHOOKS,
    ),
    Rule(
        "verify-raises-one-error",
        "`verify` raises SignatureError and nothing else, whatever comes.",
        "Any other exception is a 500: the provider repeats, and disables the endpoint.",
        _WEBHOOKS,
    ),
    Rule(
        "probe-answered",
        "The medium's probe is answered as it wants, without a signature; nothing else is taken for a probe.",
        "The medium does not call an endpoint that fails the probe, and what passes as a probe passes unverified.",
        _WEBHOOKS,
    ),
    Rule(
        "nonsense-is-invalid-input",
        "A signed call that makes no sense raises InvalidInputError: wrong JSON, wrong types, deep nesting, any bytes.",
        "Any other exception is a 500, which is repeated for days and hides that something is wrong.",
        _WEBHOOKS,
    ),
    Rule(
        "oversized-refused",
        "A huge body whose signature does not fit is refused at once, and before anybody reads it.",
        "The address is public: anybody could keep the event loop busy, or make the reader fail.",
        _WEBHOOKS,
    ),
    # Reports
    Rule(
        "status-words",
        "Each status word of the medium means what the table of the subject says.",
        "Sent is not delivered; who confuses them tells people what is not so.",
        _REPORTS,
    ),
    Rule(
        "reports-in-any-order",
        "Reports that are shuffled, doubled or early lead to the same end.",
        "Media report late, twice and out of order; a status never moves back.",
        _REPORTS,
    ),
    Rule(
        "unknown-word-noted",
        "A status word that the adapter does not know changes nothing, raises nothing, and is named in the log.",
        "Providers invent new ones on any day, and the call would be repeated for days.",
        _REPORTS,
    ),
    # Running
    Rule(
        "says-when-connected",
        "`listen` calls `task_status.started()` once it is connected, and not before.",
        "The start-up waits for it, and health goes by it.",
        _LISTENS,
    ),
    Rule(
        "drop-raises",
        "When the connection drops, `listen` raises soon, and does not reconnect by itself.",
        "The engine waits, longer each time; a loop of the adapter's own hammers a medium that is down.",
        _LISTENS,
    ),
    Rule(
        "hears-again",
        "After a drop, once the engine has started it anew, what the medium says is heard.",
        "A channel that looks alive and is deaf is found out by a customer.",
        _LISTENS,
    ),
    Rule(
        "lost-lease-ends-listening",
        "Where `admit` raises LeaseLostError, `listen` lets it out.",
        "Another worker listens now; two of them take turns in acknowledging what only one has stored.",
        _LISTENS,
    ),
    Rule(
        "refused-login-stops",
        "A login that is refused raises AccountError, and is not tried again and again.",
        "Media lock accounts that knock with a wrong password.",
        _LIFE,
    ),
    Rule(
        "leaves-nothing",
        "Nothing outlives the `async with`: no task, no connection; and an instance can be left while it sends.",
        "What stays behind adds up, and talks to a context that is no more.",
        _LIFE,
    ),
    Rule(
        "check-in-words",
        "`check` says whether all is well, in words, sends nothing, and raises nothing.",
        "It is asked when something is wrong, which is when it must not fail.",
        _CHECK,
    ),
    Rule(
        "does-not-block",
        "No call holds up the event loop: no sleep, no blocking socket or look-up, no wait for a thread or a process.",
        "All channels stand still meanwhile, and all timers.",
        _MANNERS,
    ),
    Rule(
        "goes-by-our-clock",
        "Time comes from `context.clock`, and from no clock of the machine's.",
        "What it does after an hour could not be tried, and workers whose clocks differ disagree on what is old.",
        _LIFE,
    ),
    # Secrets
    Rule(
        "no-secret-logged",
        "No secret reaches a log, at any level, from the adapter or from its client library.",
        "Logs are kept, copied and read by many.",
        _MANNERS,
    ),
    Rule(
        "no-secret-shown",
        "No secret is in an error, in a repr, in an event beside its original, or in what `check` says.",
        "Errors, events and health are shown to people and to machines far from the settings.",
        _MANNERS,
    ),
    Rule(
        "no-content-logged",
        "No text of a message reaches a log or an error.",
        "What people write is theirs, and logs are kept longer than messages.",
        _MANNERS,
    ),
)


def rules(*ids: str) -> tuple[Rule, ...]:
    """The rules of these ids, in order; all of them without any.

    Raises:
        LookupError: There is none of that id.
    """
    unknown = [id for id in ids if id not in RULES]
    if unknown:
        raise LookupError(f"there is no rule {', '.join(unknown)}; see docs/plugins/rules.md")
    return tuple(RULES[id] for id in ids or RULES)
