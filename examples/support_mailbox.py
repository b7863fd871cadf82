"""A support mailbox that acknowledges what people write, and nothing else: `python examples/support_mailbox.py`.

No mail leaves this machine: servers of convergekit's own stand in. `SETTINGS` is what a real mailbox needs.
"""

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, default

import anyio

from convergekit import Conversation, Hub, MemoryStore, MessageReceived, Router
from convergekit.adapters.email import Mail
from convergekit.adapters.email.subject import EmailSubject
from convergekit.router import CallNext, Handling, Reply

# [settings]
SETTINGS = {
    "adapter": "email",
    "address": "support@example.org",
    "display_name": "Support",
    "smtp": {"host": "mail.example.org", "username": "support", "password": "from the environment"},
    "imap": {"host": "mail.example.org"},
}
# [settings end]

# [desk]
support = Router("support")


@support.on_message(automated=False)
async def acknowledge(message: MessageReceived) -> str | None:
    print(f"{message.sender}: {message.visible_text or message.text or ''}".rstrip())
    if message.reply_to is not None:
        return None  # it goes on with what we have acknowledged already
    return "Thank you. We have your mail, and a person will answer it."


@support.on_message
async def careless(message: MessageReceived, conversation: Conversation) -> None:
    """What a program wrote comes here. Who forgets the filter is kept from a loop all the same."""
    answer = await conversation.reply("Thank you!")
    print(f"{message.sender}, {Mail.of(message).kind}: {answer.state}, for {answer.reason}")


# [desk end]


hub = Hub(store=MemoryStore())
hub.include(support)
handled = anyio.Event()


@hub.middleware
async def count(handling: Handling, call_next: CallNext) -> Reply:
    global handled
    reply = await call_next(handling)
    handled.set()
    handled = anyio.Event()
    return reply


def mail(text: str, **header: str) -> bytes:
    written = EmailMessage(policy=SMTP)
    written["From"], written["To"] = "Ann <ann@example.net>", "support@example.org"
    for name, value in header.items():
        written[name.replace("_", "-")] = value
    written.set_content(text)
    return written.as_bytes()


async def main() -> None:
    outside = EmailSubject()
    async with outside.opened(), hub:
        await hub.add_channel("support-mail", {**SETTINGS, **outside.settings})

        async def comes(raw: bytes) -> None:
            done = handled
            await outside.push(raw)
            await done.wait()
            await hub.idle()

        await comes(mail("The lamp is broken.", Subject="Lamp", Message_ID="<1@example.net>"))
        answer = BytesParser(policy=default).parsebytes(outside.received()[-1])
        for name in ("To", "Subject", "In-Reply-To", "Auto-Submitted"):
            print(f"  {name}: {answer[name]}")
        print(f"  {answer.get_content().strip()}")

        reply_to = {"In_Reply_To": str(answer["Message-ID"]), "References": f"<1@example.net> {answer['Message-ID']}"}
        await comes(mail("I am away.", Subject="Away", Message_ID="<2@example.net>", Auto_Submitted="auto-replied"))
        quoted = "It works again!\n\nOn Monday Support wrote:\n> Thank you. We have your mail.\n"
        await comes(mail(quoted, Subject="Re: Lamp", Message_ID="<3@example.net>", **reply_to))
        print("mails that went out:", len(outside.received()))


if __name__ == "__main__":
    anyio.run(main)
