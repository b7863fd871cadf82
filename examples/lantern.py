"""An adapter over sockets of its own: a signal tower that speaks lines of JSON."""

import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import ByteStream, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from convergekit.abc import Adapter, Outgoing
from convergekit.errors import AuthenticationError, NotSentError, RejectedError, ThrottledError, UncertainError
from convergekit.model import Address, Capabilities, CustomReceived, Event, MessageReceived, Receipt, Status, TextLimit

#: Seconds: the tower pings every 30, so a line that says nothing for so long is dead, however open it looks.
SILENCE = 90.0


class LanternConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    host: str = Field(description="Where the tower is.")
    port: int = Field(description="At which of its doors.")
    token: SecretStr = Field(description="Lets us in.")


class Line:
    """A connection to the tower: whatever ends it is an OSError."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream, self._lines = stream, BufferedByteReceiveStream(stream)

    async def say(self, what: dict[str, Any]) -> None:
        try:
            await self._stream.send(json.dumps(what).encode() + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise ConnectionError from error

    async def hear(self) -> Any:
        """What the tower says; a line that is no JSON as it is."""
        try:
            line = await self._lines.receive_until(b"\n", 65_536)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, anyio.IncompleteRead) as error:
            raise ConnectionError from error
        except anyio.DelimiterNotFound as error:
            raise ConnectionError("it speaks another language") from error
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            return line.decode("utf-8", "replace")


class LanternAdapter(Adapter[LanternConfig]):
    name = "lantern"
    schemes = frozenset({"lantern"})
    Config = LanternConfig
    capabilities = Capabilities(text=TextLimit(max=1000))

    @asynccontextmanager
    async def _connected(self, **wish: bool) -> AsyncGenerator[Line]:
        channel, token = self.context.channel, self.config.token.get_secret_value()
        try:
            with anyio.fail_after(10):
                stream = await anyio.connect_tcp(self.config.host, self.config.port)
        except OSError:  # a TimeoutError is one
            raise NotSentError("there is no connection", channel=channel) from None
        async with stream:
            line = Line(stream)
            try:
                with anyio.fail_after(10):
                    await line.say({"login": token, **wish})
                    answer = await line.hear()
            except OSError:
                raise NotSentError("it did not let us in", channel=channel) from None
            if answer != {"welcome": True}:
                raise AuthenticationError("the tower does not know us", channel=channel)
            yield line

    async def send(self, out: Outgoing) -> Receipt:
        channel, answer = self.context.channel, None
        async with self._connected() as line:
            out.started()
            try:
                await line.say({"id": out.key, "to": out.to.value, "text": out.text, **(out.native or {})})
                answer = await line.hear()
            except OSError:
                raise UncertainError("it hung up before it answered", channel=channel) from None
        match answer:
            case {"taken": str(id)}:
                return Receipt(Status.ACCEPTED, ids=(id,))
            case {"refused": str(code)}:
                raise RejectedError("the tower refused it", code=code, channel=channel)
            case {"wait": int(seconds)}:
                raise ThrottledError("too many signals", retry_after=seconds, channel=channel)
            case {"closed": True}:
                raise AuthenticationError("the account is closed", channel=channel)
        raise UncertainError("its answer makes no sense", channel=channel)

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        async with self._connected(listen=True) as line:
            task_status.started()
            try:
                while True:
                    with anyio.fail_after(SILENCE):
                        said = await line.hear()
                    if said == {"ping": True}:
                        await line.say({"pong": True})
                        continue
                    await self.context.admit(to_event(said))
                    await line.say({"have": said.get("id") if isinstance(said, dict) else None})
            except OSError:
                raise NotSentError("the connection dropped, or went silent", channel=self.context.channel) from None


def to_event(said: Any) -> Event:
    try:
        sender = Address.build("lantern", said["from"])
        return MessageReceived(key=said["id"], message_id=said["id"], sender=sender, text=said["text"], native=said)
    except (LookupError, TypeError, ValueError, ValidationError):
        key = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        return CustomReceived(key=f"invalid-{key}", name="invalid_message", native=said)
