"""Real XMPP servers of one's own, for tests and measurements: Prosody and ejabberd, private, on loopback.

`python -m tools.xmpp` starts Prosody, and with `ejabberd` behind it the other; it tells where it is, and waits until
Ctrl-C.

Any user may start them, and as many as are wanted. Everything is in one temporary folder, which is gone when its user
is. Each account and each room may be a test's own (`fresh_account`, `fresh_room`), so that archives do not mix. A
`Peer` is somebody at the other end, without any library for XMPP: it says what it is told, be it forged or broken, and
notes what it hears. `kill` is a crash, `stop` says good-bye, `freeze` lets it stand still with all lines open, and
between it and a client may stand a `CutProxy` (also a line that is dead and does not say so, "silence") or a
`DelayProxy`, for `tls_port`, `port` or `component_port`.

Prosody starts in 0.2 s, ejabberd in 1 to 2, and an account takes 0.02. Archives, and what waits for somebody, are in
SQLite in both: it takes 1000 to 2000 messages a second from one client to another, as many at the ten-thousandth as at
the first, and a crash costs none. (Prosody's memory keeps 1000 messages, or slows down to the half at 10000; to read
10000 from its files takes a minute. Mnesia, ejabberd's own, stops at about 7000, and loses the last at a crash.) To
read 10000 messages in pages of 50 takes Prosody 11 s and ejabberd 2.

What Prosody 0.12.3 and ejabberd 23.01 do, as seen here and as tested:

| Sent | Prosody | ejabberd |
|---|---|---|
| 300000 bytes (`stanza_limit` is 262144) | policy-violation, stream ends; up to 262500 passes | the same; from 262144 |
| by a component | up to 512 KiB passes, and reaches clients; then not-well-formed | no limit |
| 1000 levels deep | passes, 20000 too | passes; **of 5000 the whole server dies** |
| NUL, ESC, U+FFFE, a surrogate, no UTF-8, an entity, a prefix that is none | not-well-formed, stream ends | the same |
| a comment, a processing instruction | not-well-formed, stream ends | left out |
| CR, also as a reference | LF | LF |
| a `from` that is another's | ours in its place | invalid-from, stream ends |
| a stanza-id by the recipient | **stays, before the true one** | taken out |
| an occupant-id to a room | replaced | **stays**, and there is none of its own |
| a stanza-id by a room, to it; a delay | taken out | the first taken out, **a delay stays** |
| what looks like a carbon, or a result of an archive | passes | passes |
| an unknown question | service-unavailable | the same |
| a question to another domain | not-allowed | remote-server-not-found |
| to nobody | service-unavailable | the same; also for a chat state, to whoever is away |
| to an account that is away, or a device that is gone | waits, comes with a delay and its stanza-id | the same |
| the same, where the archive is asked before presence is sent | is not brought besides | is, under the same stanza-id |
| a receipt, a marker | archived | not |
| a reaction, a typing notice; in a room too | not archived, no stanza-id; with a `store` hint it is | the same |
| `no-store`, `no-permanent-store` | neither archived nor given an id | the same |
| archive `after` an unknown id | item-not-found | **from the beginning** |
| archive `before-id`, `after-id`, `ids`, its metadata | there | not; an unknown field is bad-request |
| archive with `max` 0 | the count, and complete | the count, not complete |
| a subscription request, unanswered | again at each login | the same |
| its answer | only to devices that have asked for the roster | to all |
| a ping to oneself in a room | result; not-acceptable, no room: item-not-found | the same |
| to a room, from outside | not-acceptable | not-acceptable, with the body |
| a nickname that another account has | conflict | conflict |
| that another device of the account has | shared | shared |
| a room that is new | locked until it is configured | open |
| the resource of another connection | that one ends with conflict | the same |
| `resume` | all in order, each with a delay, after `resumed` | the same |
| `resume` with an unknown id, and always after a crash | failed, item-not-found | the same |
| `resume` with a larger `h` than there were stanzas | ends without a word | ends with undefined-condition |
| a session in place of one that waits to be resumed | what has waited, in order, with two delays | **not in order** |
| `stop` | mostly ends with system-shutdown, sometimes without a word | the same |

A stanza-id is that of the archive, and stands at the end in Prosody, at the beginning in ejabberd, which adds
`archived` (urn:xmpp:mam:tmp) and keeps both in its archive as well. Both give a stanza the stream's xml:lang. Prosody
leaves Nagle's algorithm on, so a small answer may come 40 ms late. It takes SCRAM-SHA-256, SCRAM-SHA-1 and PLAIN, in
TLS only. Neither tells its limits (XEP-0478). Prosody does not search by text; ejabberd offers it (`withtext`), and
finds nothing here.

Moderation is Debian's prosody-modules, the XEP before 0.3 (`urn:xmpp:message-moderate:0` in `apply-to`): the room tells
it, and in its archive a stone without a body (`moderated`) takes the place of the message. ejabberd 23.01 has none.
Retractions are messages like others to both. For an upload Prosody wants an Authorization header, ejabberd none, and it
writes `_` for a blank in the name; one that is too large is not-acceptable with `file-too-large` in both.
"""

from __future__ import annotations

from tools.mail.processes import eventually
from tools.mail.proxies import CutProxy, DelayProxy

from .peer import Peer, StreamError, body
from .servers import Account, Ejabberd, Prosody, XmppServer

__all__ = [
    "Account",
    "CutProxy",
    "DelayProxy",
    "Ejabberd",
    "Peer",
    "Prosody",
    "StreamError",
    "XmppServer",
    "body",
    "eventually",
]
