"""An adapter for a carrier of notes, as small as one can be and still be right."""

import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from convergekit.abc import Adapter, Admission, Outgoing, Request, Response
from convergekit.errors import InvalidInputError
from convergekit.http import verify_hmac
from convergekit.model import Address, Capabilities, Event, MessageReceived, Receipt, Status, TextLimit


# [adapter]
class PigeonConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    url: str = Field(description="Where the loft takes notes.")
    token: SecretStr = Field(description="Of the account.")
    secret: SecretStr = Field(description="What notes to us are signed with.")


class PigeonAdapter(Adapter[PigeonConfig]):
    name = "pigeon"
    schemes = frozenset({"pigeon"})
    Config = PigeonConfig
    capabilities = Capabilities(text=TextLimit(max=500))

    async def send(self, out: Outgoing) -> Receipt:
        note = {"id": out.key, "to": out.to.value, "text": out.text, **(out.native or {})}
        headers = {"authorization": f"Bearer {self.config.token.get_secret_value()}"}
        await self.context.http.request("POST", self.config.url, out=out, json=note, headers=headers)
        return Receipt(Status.ACCEPTED, ids=(out.key,))

    def challenge(self, request: Request) -> Response | None:
        return None

    async def verify(self, request: Request) -> None:
        secret = self.config.secret.get_secret_value().encode()
        verify_hmac(request.body, request.headers.get("pigeon-signature"), [secret])

    def parse(self, request: Request) -> Sequence[Event]:
        try:
            note = json.loads(request.body)
            id, sender = note["id"], Address.build("pigeon", note["from"])
            return [MessageReceived(key=id, message_id=id, sender=sender, text=note["text"], native=note)]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise InvalidInputError("this is no note") from None

    def reply(self, request: Request, admitted: Sequence[Admission]) -> Response:
        return Response(204)


# [adapter end]
