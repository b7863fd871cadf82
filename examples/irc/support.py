"""A bot that answers where it is asked: `convergekit worker support:router`."""

# [bot]
from convergekit import Conversation, MessageReceived, Router

router = Router()


@router.on_message(channel="chat", automated=False)
async def answer(message: MessageReceived, conversation: Conversation) -> None:
    await conversation.reply(f"Thanks, we have your message: {message.text!r}")


# [bot end]
