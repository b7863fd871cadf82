"""What a channel can carry decides what is sent: the same message on three channels."""

from convergekit.content import render
from convergekit.model import AttachmentLimit, Capabilities, Markup, Message, TextLimit

MESSAGE = Message(
    markdown="Your parcel is **on its way**. [Follow it](https://example.org/p/42).",
    subject="Order 42",
)

SMS = Capabilities(text=TextLimit(max=153 * 10, unit="gsm7"))
CHAT = Capabilities(text=TextLimit(max=4096, unit="utf16"), markup=Markup(format="html"))
MAIL = Capabilities(subject=True, markup=Markup(html_alternative=True), attachments=AttachmentLimit(count=20))


def main() -> None:
    for name, capabilities in {"sms": SMS, "chat": CHAT, "mail": MAIL}.items():
        rendering = render(MESSAGE, capabilities)
        for part in rendering.parts:
            print(f"{name}: {part.text}")
        for degradation in rendering.degradations:
            print(f"  {degradation.severity}: {degradation.what}, {degradation.detail}")


if __name__ == "__main__":
    main()
