"""Mail comes in, and a handler reads what was written anew, and who speaks: `python examples/mail_received.py`.

A mail server hands it over by LMTP; here Python's own client plays that server.
"""

import smtplib
import tempfile
from pathlib import Path

import anyio
import anyio.to_thread

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.adapters.email import Mail, MailKind

hub = Hub(store=MemoryStore())
handled = anyio.Semaphore(0)


# [read]
@hub.on_message(channel="support-mail")
async def read(message: MessageReceived) -> None:
    mail = Mail.of(message)
    if mail.kind is MailKind.PERSON:
        print(message.visible_text or message.text)
    else:
        print(f"a program says: {message.subject} ({mail.kind})")
    # [read end]
    handled.release()


ANSWER = """\
From: Ann <ann@example.net>
To: support@example.org
Subject: Re: Your parcel
Message-ID: <1@example.net>

It came today.

On Mon, 5 Jan 2026 at 12:00, Support <support@example.org> wrote:
> Has it come?
"""
ABSENCE = """\
From: Ben <ben@example.net>
To: support@example.org
Subject: Automatic reply: Your parcel
Message-ID: <2@example.net>
Auto-Submitted: auto-replied

I am on holiday.
"""


def hand_over(socket: Path, *mails: str) -> None:
    """What a mail server does with the mail of an address of yours."""
    with smtplib.LMTP(str(socket)) as server:
        for mail in mails:
            server.sendmail("sender@example.net", ["support@example.org"], mail)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "lmtp"
        settings = {"adapter": "email", "address": "support@example.org", "lmtp": {"path": socket}}
        async with hub:
            await hub.add_channel("support-mail", settings)
            await anyio.to_thread.run_sync(hand_over, socket, ANSWER, ABSENCE)
            for _ in range(2):
                await handled.acquire()


if __name__ == "__main__":
    anyio.run(main)
