"""A real SMS gateway of one's own, for tests: Kannel, private, on loopback, and the phone network behind it.

`python -m tools.kannel` starts it, tells where it is, and waits until Ctrl-C.

Any user may start it. Everything is in one temporary folder, which is gone when its user is.

| Port | Speaks |
|---|---|
| `http` | what applications send with: `send_url` |
| `app` | nothing: there Kannel brings what phones say (`callback_url`), so there the application under test listens |
| `admin` | Kannel's own pages; see `Kannel.status` |
| `smsc` | the link to the phone network, which `Phones` plays |

What Kannel 1.4.5 does, as seen here:

| Sent | Answered | Then |
|---|---|---|
| well | 202 `0: Accepted for delivery`, without an id | reports 8 and 1 to `dlr-url` |
| while the link is down | 202 `3: Queued for later delivery` | the same reports, once it is up |
| to 666 and what begins so, where no network leads | 403 `Not routable. Do not try again.` | report 16 all the same |
| with a wrong password | 403 `Authorization failed for sendsms` | |
| without a recipient or sender, to letters, in a charset or coding that is none | 400 and a sentence | |
| to several, with spaces between | one 202 | a message for each, and both reports for each |
| of more than `max-messages` parts | 202, as if well | **the rest is cut off**, and reports say delivered |
| not in GSM 03.38 without `coding=2` | 202, as if well | **`?` for each letter that is not**, `Ç` for `ç` |

It sends by GET, or by POST with a text for a body and all else in headers; a form is refused with 400. `validity` and
`deferred` are minutes; nonsense in them is not noticed, and this network does not show them. A sender is taken as it
is, letters, spaces and all. A long text is cut by code units, so a surrogate pair may lie in two parts.

A report is a GET of `dlr-url`. In it `%p` is who was written to and `%P` who wrote, as in a message of theirs, and `%F`
is mostly empty where `%d` is 8. There is one pair for a message, however many parts it has. A URL that answers other
than 200 or 202, be it 204 or 404, is called again as the settings say, and then no more; a message from a phone has the
same `%I` each time. What is being called again is forgotten when Kannel is killed, and reports also when it is stopped.
What waits for the link is on disk, and is sent, and reported, after either.
"""

from __future__ import annotations

from tools.mail.processes import eventually

from .phones import Phones, Sms, header
from .server import Kannel, missing

__all__ = ["Kannel", "Phones", "Sms", "eventually", "header", "missing"]
