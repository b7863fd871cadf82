"""The version, stated here and nowhere else: pyproject.toml and the docs read it."""

__version__ = "0.1.0"
