"""Settings of the loopback adapter."""

from __future__ import annotations

from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from convergekit.errors import ConfigurationError

__all__ = ["LoopbackConfig"]


class LoopbackConfig(BaseModel):
    """Settings of one loopback channel.

    Args:
        secret: Signs its webhooks.
        poll_interval: Seconds between polls of its feed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    secret: SecretStr | None = Field(default=None, description="Signs its webhooks; without one they are refused.")
    poll_interval: float = Field(default=1.0, gt=0, description="Seconds between polls of its feed.")

    @classmethod
    def from_dsn(cls, dsn: str) -> Self:
        """Read "loopback://SECRET@here?poll_interval=1"; secret and query may be missing."""
        url = urlsplit(dsn)
        if url.scheme != "loopback":
            raise ConfigurationError(f"a loopback DSN starts with loopback://, not {url.scheme}://")
        secret = {"secret": unquote(url.username)} if url.username else {}
        return cls.model_validate({**secret, **dict(parse_qsl(url.query))})

    def to_dsn(self) -> str:
        """The DSN, with the secret masked."""
        secret = "***@" if self.secret is not None else ""
        return f"loopback://{secret}here?poll_interval={self.poll_interval:g}"
