"""SMS gateways beside what they stand on, part by part."""

__all__ = ["SMS"]

#: Each is a module here, and can be named as "sms.send" and so on.
SMS = ("send", "callbacks", "segments", "imports")
