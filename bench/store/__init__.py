"""The durable store beside its peers and its limits, part by part."""

__all__ = ["STORE"]

#: Each is a module here, and can be named as "store.submit" and so on.
STORE = ("submit", "postgres", "claims", "inbound", "workers", "archive", "memory")
