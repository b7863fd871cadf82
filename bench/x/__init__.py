"""X beside what it stands on, part by part."""

__all__ = ["X"]

#: Each is a module here, and can be named as "x.calls" and so on.
X = ("calls", "texts", "imports")
