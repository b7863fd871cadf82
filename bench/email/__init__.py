"""Mail beside its peers and its limits, part by part."""

__all__ = ["EMAIL"]

#: Each is a module here, and can be named as "email.send" and so on.
EMAIL = ("build", "read", "memory", "send", "pool")
