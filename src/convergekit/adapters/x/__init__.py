"""X: public posts and direct messages, within its limits, its prices and its rules about whom one may answer.

Sends: posts, answers, threads, polls and files in public; direct messages with a file, to one or to a group; what was
posted can be deleted. Receives: posts that mention, answer or quote the account, and direct messages, by polls, a
webhook or a stream, each once whichever way it came; `X.of(event)` says what X tells beside. Cannot promise: what X
no longer shows, behind 800 mentions or 30 days of messages (that is told as a gap), nor that an attempt whose answer
was lost is always found again (it is unknown then). Encrypted messages are told of, and not read.

Where it is done:

- `adapter` ties it together; `session` is an account that is open, `memory` what it has seen, `inbound` the way in.
- Asking X: `client` puts tweepy's methods on our own transport; `auth` and `oauth1` sign, `problems` says what an
  answer means, `budgets` what may be asked and spent.
- In: `feeds` poll, `activity` keeps webhook and stream in order, `webhook` proves calls genuine; `reading` makes events
  of whatever came, and `arrivals` completes them.
- Out: `outbound`, with `handovers` from public to private; `files` fetches what came with a message.
- Pure, for all: `addresses`, `snowflakes` (ids and their time), `details`, `capabilities`; `kept` reads our own state.
- `subject` is the far side, for the contract; the server that plays X is `convergekit.testing.x`.
"""

from __future__ import annotations

from .adapter import XAdapter
from .config import BudgetConfig, OAuth1Config, OAuth2Config, XConfig
from .details import OtherPost, Poll, PollOption, X
from .outbound import Permission

__all__ = [
    "BudgetConfig",
    "OAuth1Config",
    "OAuth2Config",
    "OtherPost",
    "Permission",
    "Poll",
    "PollOption",
    "X",
    "XAdapter",
    "XConfig",
]
