"""What providers have published as signed, we take: each with where it comes from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from convergekit.errors import SignatureError
from convergekit.http.signatures import (
    GitHub,
    SendGrid,
    SignatureScheme,
    Slack,
    StandardWebhooks,
    Twilio,
)

from .kit import FORM, NOW, Call

EXAMPLE = b'{"test": 2432232314}'
SVIX_PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
SVIX_PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
SVIX_SIGNED = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
STANDARD = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"}

SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eN"
    "Ec6wEA3F+g=="
)
SENDGRID_BODY = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
)
SENDGRID_SIGNED = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="

#: By where it was published: the scheme, the call, and the Unix time at which it was made.
PUBLISHED: dict[str, tuple[SignatureScheme, Call, int | None]] = {
    "Standard Webhooks, the specification": (
        StandardWebhooks("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        Call(EXAMPLE, STANDARD | {"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}),
        1614265330,
    ),
    "v1a, the tests of Svix' server": (
        StandardWebhooks(SVIX_PUBLIC),
        Call(EXAMPLE, STANDARD | {"webhook-signature": SVIX_SIGNED}),
        1614265330,
    ),
    "GitHub, docs, validating webhook deliveries": (
        GitHub("It's a Secret to Everybody"),
        Call(
            b"Hello, World!",
            {
                "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            },
        ),
        None,
    ),
    "Slack, docs, verifying requests": (
        Slack("8f742231b10e8888abcd99yyyzzz85a5"),
        Call(
            SLACK_BODY,
            {
                "x-slack-request-timestamp": "1531420618",
                "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            },
        ),
        1531420618,
    ),
    "SendGrid, the tests of its libraries": (
        SendGrid(SENDGRID_KEY),
        Call(
            SENDGRID_BODY,
            {
                "x-twilio-email-event-webhook-signature": SENDGRID_SIGNED,
                "x-twilio-email-event-webhook-timestamp": "1600112502",
            },
        ),
        1600112502,
    ),
    "Twilio, docs, webhooks security": (
        Twilio("12345"),
        Call(
            b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
            {"content-type": FORM, "x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
            query="foo=1&bar=2",
            url="https://mycompany.com/myapp.php?foo=1&bar=2",
        ),
        None,
    ),
}
# Stripe, Shopify, Meta, Mailgun and X have published no example with its secret. Stripe's own library judges in
# `test_oracles`; of the others, what is signed and how stands in their pages, which each scheme names.


@pytest.mark.parametrize(("scheme", "call", "at"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_what_was_published_as_signed_is_verified(scheme: SignatureScheme, call: Call, at: int | None) -> None:
    now = NOW if at is None else datetime.fromtimestamp(at, UTC)

    assert scheme.verify(call, now).timestamp == at
    with pytest.raises(SignatureError):
        scheme.verify(Call(call.body + b"&x=1", call.headers, query=call.query, url=call.url), now)


@pytest.mark.parametrize("secret", [SVIX_PRIVATE, "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="])
def test_v1a_signs_as_svix_does(secret: str) -> None:
    """Ed25519 always makes the same signature (RFC 8032), so the bytes can be compared."""
    headers = StandardWebhooks(secret).sign(STANDARD["webhook-id"], datetime.fromtimestamp(1614265330, UTC), EXAMPLE)

    assert headers == STANDARD | {"webhook-signature": SVIX_SIGNED}
