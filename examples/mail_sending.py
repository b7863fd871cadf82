"""Mail goes out with a picture and a file, and we hear what became of it: `python examples/mail_sending.py`.

No mail leaves this machine: servers of convergekit's own stand in.
"""

from base64 import b64decode
from email.parser import BytesParser
from email.policy import default

import anyio

from convergekit import Attachment, DispatchHandle, Hub, MemoryStore, Message, Status
from convergekit.adapters.email.subject import EmailSubject
from convergekit.errors import RejectedError
from convergekit.model import DeliveryChanged

hub = Hub(store=MemoryStore())
LAMP = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgAAACAAAB4iG8MwAAAABJRU5ErkJggg==")
INVOICE = b"%PDF-1.7 and so on"


# [send]
async def tell_shipped(address: str) -> DispatchHandle:
    message = Message(
        subject="Order 42",
        markdown="Your lamp is **on its way**.\n\n![Your lamp](cid:lamp)",
        attachments=[
            Attachment(data=LAMP, name="lamp.png", media_type="image/png", content_id="lamp"),
            Attachment(data=INVOICE, name="invoice.pdf", media_type="application/pdf"),  # or path="invoice.pdf"
        ],
    )
    return await hub.send(message, to=f"mailto:{address}", key="order-42:shipped")


# [send end]


# [later]
@hub.on_event(DeliveryChanged)
async def came_back(event: DeliveryChanged) -> None:
    sent = await hub.dispatch(event.dispatch)
    if sent is not None and event.status is Status.FAILED:
        print(f"{sent.dispatch.recipient} has not got {sent.dispatch.message.subject!r}: {event.reason}")


# [later end]


async def main() -> None:
    outside = EmailSubject()
    async with outside.opened(), hub:
        await hub.add_channel("support-mail", {"adapter": "email", **outside.settings})

        sent = await tell_shipped("ann@example.net")
        print("first:", sent.status)
        mail = BytesParser(policy=default).parsebytes(outside.received()[-1])
        for part in mail.walk():
            print(f"  {part.get_content_type()} {part.get_filename() or ''}".rstrip())

        # Hours later, a server on the way gives up.
        await outside.push(outside.report(id=mail["Message-ID"].strip("<>"), word="failed"))
        try:
            await sent.wait(Status.DELIVERED, timeout=10)
        except RejectedError as failed:
            await hub.idle()
            print(f"then: {sent.status}, code {failed.code}")


if __name__ == "__main__":
    anyio.run(main)
