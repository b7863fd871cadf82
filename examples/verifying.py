"""Verify webhooks in code of your own, and sign some: `python examples/verifying.py`."""

from datetime import UTC, datetime

# [verify]
from convergekit.abc import Headers, Request
from convergekit.errors import SignatureError
from convergekit.http.signatures import GitHub, Stripe

github = GitHub(["the-new-secret", "the-old-secret"])  # yours: from the environment


def is_genuine(headers: dict[str, str], body: bytes) -> str:
    request = Request("POST", headers=Headers(headers), body=body)  # the raw bytes, as they came
    try:
        verified = github.verify(request, datetime.now(UTC))
    except SignatureError as exc:  # and nothing else, whatever came
        return f"refused: {exc}"
    return f"genuine: {verified.id}, by secret {verified.key_index}"


# [verify end]


def main() -> None:
    body = b'{"zen": "Keep it logically awesome."}'
    now = datetime.now(UTC)
    print(is_genuine(GitHub("the-old-secret").sign("72d3162e", now, body), body))
    print(is_genuine(GitHub("another secret").sign("72d3162e", now, body), body))
    print(is_genuine({"x-hub-signature": "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6"}, body))
    print(*Stripe("whsec_of-your-endpoint").sign("evt_1", now, body))  # for tests of what takes Stripe's calls


if __name__ == "__main__":
    main()
