"""Every promise of a store, as data: what it demands, and why.

`docs/plugins/store-rules.md` is written from this table. An id, once published, keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .._rule import Rule, table

__all__ = ["RULES"]


def _rule(id: str, demand: str, why: str, topic: str) -> Rule:
    return Rule(id, demand, why, topic, "docs/plugins/store-rules.md")


_ADMISSION, _LANES, _WAITING, _LEASES, _OWNERS = "Admission", "Lanes", "What waits", "Leases", "Owners"
_SUBMITTING, _CHANGES, _TIME, _REPORTS = "Submitting", "Changes", "Time", "Reports"
_SMALL, _CONTENT, _LOOKING = "Small values", "Content", "Looking"
_ARCHIVE, _RETENTION, _ERASURE = "The archive", "Retention", "Erasure"

RULES: Final[Mapping[str, Rule]] = table(
    _rule(
        "admitted-once",
        "An event is admitted once: its key is known on its channel for good.",
        "Every medium repeats; a handler would answer twice.",
        _ADMISSION,
    ),
    _rule(
        "cursor-with-events",
        "A cursor is stored in one transaction with the events before it, and also where all of those are known.",
        "One that runs ahead loses what comes between; one that stays behind reads the same for ever.",
        _ADMISSION,
    ),
    _rule(
        "out-as-it-went-in",
        "What is stored comes out as it went in, and is not the object of whoever stored it.",
        "A handler gets what the medium said, after a restart as well, and nobody changes it from afar.",
        _ADMISSION,
    ),
    _rule(
        "lane-in-order",
        "What is in one lane is served in its order, by one holder at a time.",
        "Messages that overtake each other say something else.",
        _LANES,
    ),
    _rule(
        "lanes-do-not-starve",
        "Lanes do not wait for each other, and none is left behind: no channel, no talk, and nothing without hurry.",
        "One busy talk would silence all others.",
        _LANES,
    ),
    _rule(
        "claim-in-limits",
        "A claim takes as many lanes as it is asked for, of channels that have room, and says whether there are more.",
        "A worker that holds what it cannot serve keeps it from those who could.",
        _LANES,
    ),
    _rule(
        "waiting-is-cheap",
        "What waits, however much that is, does not slow down what does not.",
        "A medium that is away for a day leaves a hundred thousand behind, and the others would go down with it.",
        _WAITING,
    ),
    _rule(
        "waiting-holds-its-lane",
        "What waits holds up its lane until it is due, but no longer than its hold; then others pass, and it is noted.",
        "Order is worth a wait, and not any wait.",
        _WAITING,
    ),
    _rule(
        "passed-comes-back",
        "What was passed is served when it is due, before what is younger, and overtakes nobody.",
        "The oldest question would be answered last, or never.",
        _WAITING,
    ),
    _rule(
        "buried-lets-go",
        "What is given up is kept among the dead letters, and its lane goes on.",
        "One bad message would stop a talk for ever, and nobody could look at it.",
        _WAITING,
    ),
    _rule(
        "stopped-lets-go",
        "What has stopped, for whatever reason, never holds up its lane.",
        "One message that nobody will send any more would stop a talk for ever.",
        _WAITING,
    ),
    _rule(
        "ended-lease-passes-on",
        "A lease ends at its time; then the next gets the lane, and is told that somebody had it.",
        "What a worker had in hand when it died would never be served, or be sent again as if nothing were.",
        _LEASES,
    ),
    _rule(
        "crash-counted-apart",
        "Runs that failed and runs that were cut off are counted apart.",
        "An event that stood beside the one that kills its workers would be given up with it.",
        _LEASES,
    ),
    _rule(
        "lost-lease-changes-nothing",
        "Whoever has lost a lease changes nothing by it, and takes nothing from its new holder.",
        "Two workers would settle the same message, each in its own way.",
        _LEASES,
    ),
    _rule(
        "lease-kept",
        "A lease that is renewed, or not given back, holds on; one that is given back leaves all as it was.",
        "A handler that takes long would be run twice.",
        _LEASES,
    ),
    _rule(
        "one-owner",
        "A name has one owner at a time, and each new one a larger token.",
        "Two workers would listen on one account.",
        _OWNERS,
    ),
    _rule(
        "stale-owner-fenced",
        "Whoever is no longer the owner admits nothing, and moves no cursor.",
        "A worker that was asleep would undo what its successor has read.",
        _OWNERS,
    ),
    _rule(
        "versions-told",
        "The version of a dispatch grows with each change, and can be asked for many at once.",
        "Whoever waits for an outcome in another process learns of it by that.",
        _OWNERS,
    ),
    _rule(
        "submitted-once",
        "A key stands for one message to a recipient, for good; with the same content it returns what is there.",
        "Whoever submits again, since they did not hear the answer, would send it twice.",
        _SUBMITTING,
    ),
    _rule(
        "other-content-refused",
        "Other content under a known key is a KeyConflictError, and nothing of that call is stored.",
        "The second message would be lost without a word.",
        _SUBMITTING,
    ),
    _rule(
        "unless-known",
        "What was planned on the assumption that a value is not there is not stored where it is.",
        "A message would go out to somebody who has just said no.",
        _SUBMITTING,
    ),
    _rule(
        "reply-with-done",
        "What a handler sends is stored in one transaction with its event being done: both, or neither.",
        "A crash between the two loses the answer, or sends it twice.",
        _SUBMITTING,
    ),
    _rule(
        "legs-one-by-one",
        "A later leg is not served before it is opened.",
        "Everybody would get everything on every channel.",
        _SUBMITTING,
    ),
    _rule(
        "changed-by-version",
        "A change is made to the version that it was made from, or not at all, and then nothing is given back.",
        "Of two who change the same, one would undo the other without knowing.",
        _CHANGES,
    ),
    _rule(
        "events-with-change",
        "Events that tell of a change are admitted with it.",
        "A handler would hear of what never happened, or never of what did.",
        _CHANGES,
    ),
    _rule(
        "goes-by-its-clock",
        "A store goes by the clock that it was opened on.",
        "Leases, retries and time-outs could not be tested, and would disagree between machines.",
        _TIME,
    ),
    _rule(
        "scheduled-waits-outside",
        "What is scheduled enters its lane when it is due, behind what came before that, and holds up nobody before.",
        "A reminder for next year would stop a talk until then.",
        _TIME,
    ),
    _rule(
        "wakes-until-changed",
        "A dispatch wakes when its time has come, is told of until it has changed, and may be moved.",
        "Whoever was told may have gone away: what was to happen after an hour would not.",
        _TIME,
    ),
    _rule(
        "report-finds-its-message",
        "A report finds its delivery by our id, else by the medium's, else as the newest to an address; never another.",
        "People would be told that a message arrived which did not.",
        _REPORTS,
    ),
    _rule(
        "early-report-parked",
        "A report that matches nothing yet is kept for a while, and taken out once.",
        "Media report before the send has returned; the message would stay on its way for ever.",
        _REPORTS,
    ),
    _rule(
        "compare-and-set",
        "A small value is changed by whoever has seen the current one; of many at once, one wins.",
        "Two workers would each refresh a token, and lock each other out.",
        _SMALL,
    ),
    _rule(
        "content-whole",
        "Content comes back byte for byte, or not at all; what broke off on its way in leaves nothing.",
        "Half a file looks like a file.",
        _CONTENT,
    ),
    _rule(
        "content-swept",
        "Content goes when nothing names it any more, after a grace of a day, and not before.",
        "A disk fills up, or a message that still waits has lost its attachment.",
        _CONTENT,
    ),
    _rule(
        "lists-in-order",
        "Lists and sums are complete and in order, page by page, and odd arguments find nothing.",
        "An operator acts on what they are shown.",
        _LOOKING,
    ),
    _rule(
        "failures-found",
        "What came to no good end is found by its channel and address, until it is sent again, cancelled or erased.",
        "Whoever has mended an endpoint would send too little again, or what has long arrived.",
        _LOOKING,
    ),
    _rule(
        "dead-letters-dealt-with",
        "A dead letter can be thrown away, or handled anew, and is then no longer one.",
        "What nobody can deal with piles up, until nobody looks any more.",
        _LOOKING,
    ),
    _rule(
        "batch-said",
        "A store says how many lanes are best asked for at once.",
        "Each round trip costs; only the store knows how much.",
        _LOOKING,
    ),
    _rule(
        "archive-finds",
        "What was said is found at once, both ways, by its words, in any script, wherever in the message they stand.",
        "What cannot be found was not kept.",
        _ARCHIVE,
    ),
    _rule(
        "archive-by-person",
        "Filters and addresses give what belongs to them: all that was said with somebody, once, and nothing else.",
        "A person who asks for what is stored of them gets too little, or somebody else's.",
        _ARCHIVE,
    ),
    _rule(
        "archive-pages",
        "Pages have neither gaps nor doubles, also while more comes.",
        "An export would lack what came in meanwhile.",
        _ARCHIVE,
    ),
    _rule(
        "any-text-is-a-query",
        "Any text can be stored and searched for; what makes no sense as a question is said, by its name.",
        "A quotation mark in a search box would be an error, or an operator.",
        _ARCHIVE,
    ),
    _rule(
        "old-content-goes",
        "What is older than asked loses its content, channel by channel where asked so; what is open or new keeps it.",
        "Content that was promised to be gone is found; or a message loses its text before it is sent.",
        _RETENTION,
    ),
    _rule(
        "erased-whole",
        "After an erasure nothing is left of a person but the facts, in the archive, reports, contacts and snapshots.",
        "It was promised to somebody, and the law.",
        _ERASURE,
    ),
    _rule(
        "erased-stops",
        "What waits for or from an erased person does not go out and is not handled; what is in hand is counted.",
        "Somebody who asked to be forgotten would get a message.",
        _ERASURE,
    ),
)
