"""Every inbound webhook through one pure ASGI app; no framework is needed, and none is in the way.

    app = WebhookApp(hub)                                      # `POST /support-hook` is the channel "support-hook"
    starlette.routing.Mount("/hooks", app=WebhookApp(hub))     # ... and here `POST /hooks/support-hook`
    compose(django_app, {"/hooks": WebhookApp(hub)})           # ... as here, where the framework mounts nothing

Rules kept here:

- The order is fixed: route, method, size, body (bounded in time and bytes), challenge, signature over the raw bytes,
  translation, admission, answer. A 2xx goes out only after the events are safe.
- None of uvicorn, hypercorn and granian limits a body in time or size by itself, so this app does. Who is slow is cut
  off before who is quick is turned away.
- Servers and frameworks disagree on what a mounted app sees: `root_path` is stripped where the path begins with it,
  else the path is taken as it is; a slash at the end does not count. Lifespan is answered, but never relied on.
- What came in is never reflected, nor logged; what has a body is `text/plain` (health's details: JSON) and `nosniff`.
"""

from __future__ import annotations

from ._compose import compose
from ._wire import App, Receive, Scope, Send
from .app import Receiver, Receivers, WebhookApp

__all__ = ["App", "Receive", "Receiver", "Receivers", "Scope", "Send", "WebhookApp", "compose"]
