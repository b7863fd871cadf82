"""Webhooks beside what does no more than it must, in and out."""

__all__ = ["WEBHOOK"]

#: Each is a module here, and can be named as "webhook.send" and so on; `server` is the way in through a real one.
WEBHOOK = ("receive", "send")
