"""Calls in the shape that the providers document, all of it made up; and what they become."""

from __future__ import annotations

from typing import Any, NamedTuple

from convergekit.abc import Request
from tests.adapters.webhook.mapping.kit import call

__all__ = ["SAMPLES", "Sample"]


class Sample(NamedTuple):
    """One call, and of each event what has to be so of it."""

    preset: str
    about: str
    request: Request
    expected: list[dict[str, Any]]


REPOSITORY = {"full_name": "ann/parcel", "html_url": "https://github.com/ann/parcel", "private": False}
ANN = {"login": "ann", "html_url": "https://github.com/ann", "type": "User"}
BOT = {"login": "tidy[bot]", "html_url": "https://github.com/apps/tidy", "type": "Bot"}
ISSUE = {
    "number": 7,
    "node_id": "I_7",
    "title": "Parcel is late",
    "body": "Three days.",
    "html_url": "https://github.com/ann/parcel/issues/7",
    "user": ANN,
    "created_at": "2026-01-01T10:00:00Z",
    "updated_at": "2026-01-01T11:00:00Z",
}
COMMENT = {
    "node_id": "IC_1",
    "body": "It has **arrived**.\r\nThanks!",
    "user": ANN,
    "created_at": "2026-01-01T12:00:00Z",
    "updated_at": "2026-01-01T12:30:00Z",
    "html_url": "https://github.com/ann/parcel/issues/7#issuecomment-1",
}
PULL = ISSUE | {
    "node_id": "PR_8",
    "number": 8,
    "title": "Faster",
    "body": None,
    "html_url": "https://github.com/ann/parcel/pull/8",
    "merged_at": "2026-01-01T11:30:00Z",
    "merged": False,
}
GONE = {"key": "d-1", "sender": "https://github.com/ann"}


def github(event: str, *, sender: Any = ANN, **body: Any) -> Request:
    return call(
        {"repository": REPOSITORY, "sender": sender, **body}, {"X-GitHub-Event": event, "X-GitHub-Delivery": "d-1"}
    )


def message(text: str, *, type: str = "message.received", **more: Any) -> dict[str, Any]:
    return {"type": type, "text": text, **more}


def event(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "custom.received", "name": name, **more}


GITHUB = [
    (
        "a comment",
        github("issue_comment", action="created", issue=ISSUE, comment=COMMENT),
        message(
            "It has **arrived**.\nThanks!",
            subject="Parcel is late",
            message_id="IC_1",
            thread=ISSUE["html_url"],
            at="2026-01-01T12:00:00+00:00",
            automated=False,
            **GONE,
        ),
    ),
    (
        "a comment of a program",
        github("issue_comment", action="created", issue=ISSUE, comment=COMMENT | {"user": BOT}, sender=BOT),
        message("It has **arrived**.\nThanks!", automated=True, sender="https://github.com/apps/tidy"),
    ),
    (
        "an edited comment",
        github("issue_comment", action="edited", issue=ISSUE, comment=COMMENT),
        message("It has **arrived**.\nThanks!", type="message.edited", target="IC_1", at="2026-01-01T12:30:00+00:00"),
    ),
    (
        "a deleted comment",
        github("issue_comment", action="deleted", issue=ISSUE, comment=COMMENT),
        {"type": "message.retracted", "target": "IC_1", **GONE},
    ),
    (
        "a comment on a line",
        github("pull_request_review_comment", action="created", pull_request=PULL, comment=COMMENT),
        message("It has **arrived**.\nThanks!", subject="Faster", thread=PULL["html_url"]),
    ),
    (
        "a new issue",
        github("issues", action="opened", issue=ISSUE),
        message("Parcel is late\n\nThree days.", message_id="I_7", thread=ISSUE["html_url"], automated=False),
    ),
    (
        "a closed issue",
        github("issues", action="closed", issue=ISSUE),
        message("ann closed #7: Parcel is late", automated=True, thread=ISSUE["html_url"]),
    ),
    ("a label", github("issues", action="labeled", issue=ISSUE), event("issues.labeled", key="d-1")),
    (
        "a discussion",
        github("discussion", action="created", discussion=ISSUE),
        message("Parcel is late\n\nThree days.", message_id="I_7"),
    ),
    (
        "a pull request without a word",
        github("pull_request", action="opened", pull_request=PULL),
        message("Faster", message_id="PR_8", automated=False),
    ),
    (
        "a merge",
        github("pull_request", action="closed", pull_request=PULL | {"merged": True}),
        message("ann merged #8: Faster", automated=True, at="2026-01-01T11:30:00+00:00"),
    ),
    (
        "a pull request that is turned down",
        github("pull_request", action="closed", pull_request=PULL),
        message("ann closed #8: Faster", automated=True),
    ),
    (
        "a review",
        github(
            "pull_request_review",
            action="submitted",
            pull_request=PULL,
            review={"state": "approved", "body": "Fine.", "user": ANN, "node_id": "R_1", "submitted_at": "2026-01-01"},
        ),
        message("approved: Fine.", thread=PULL["html_url"], message_id="R_1"),
    ),
    (
        "a push",
        github(
            "push",
            ref="refs/heads/main",
            deleted=False,
            compare="https://github.com/ann/parcel/compare/a...b",
            pusher={"name": "ann", "email": "ann@example.org"},
            head_commit={"message": "Mend it", "timestamp": "2026-01-01T12:00:00+01:00"},
        ),
        message(
            "ann pushed to refs/heads/main of ann/parcel: Mend it\nhttps://github.com/ann/parcel/compare/a...b",
            automated=True,
            thread=REPOSITORY["html_url"],
            at="2026-01-01T11:00:00+00:00",
        ),
    ),
    (
        "a branch that goes",
        github("push", ref="refs/heads/old", deleted=True, pusher={"name": "ann"}, head_commit=None),
        message("ann deleted refs/heads/old of ann/parcel", automated=True),
    ),
    (
        "a release",
        github(
            "release",
            action="published",
            release={
                "tag_name": "v2",
                "name": "Two",
                "body": "New.",
                "html_url": "https://github.com/ann/parcel/releases/v2",
                "author": ANN,
                "node_id": "RE_2",
                "published_at": "2026-01-01T12:00:00Z",
            },
        ),
        message("ann/parcel v2: Two\nhttps://github.com/ann/parcel/releases/v2\n\nNew.", automated=True),
    ),
    (
        "a workflow that failed",
        github(
            "workflow_run",
            action="completed",
            workflow_run={
                "name": "tests",
                "run_number": 3,
                "head_branch": "main",
                "conclusion": "failure",
                "html_url": "https://github.com/ann/parcel/actions/runs/3",
                "updated_at": "2026-01-01T12:00:00Z",
            },
        ),
        message(
            "tests #3 on main of ann/parcel: failure\nhttps://github.com/ann/parcel/actions/runs/3", automated=True
        ),
    ),
    ("the first call", github("ping", zen="Keep it simple.", hook_id=1), event("ping", key="d-1")),
]

GITLAB_USER = {"username": "ann", "name": "Ann Lee"}
PROJECT = {"web_url": "https://gitlab.example/ann/parcel", "path_with_namespace": "ann/parcel"}


def gitlab(kind: str, **body: Any) -> Request:
    return call(
        {"object_kind": kind, "user": GITLAB_USER, "project": PROJECT, **body},
        {"X-Gitlab-Event": f"{kind} hook", "Idempotency-Key": "g-1", "X-Gitlab-Event-UUID": "shared"},
    )


def gitlab_item(**more: Any) -> dict[str, Any]:
    return {
        "id": 9,
        "iid": 3,
        "title": "Late",
        "description": "Three days.",
        "url": "https://gitlab.example/ann/parcel/-/issues/3",
        "created_at": "2026-01-01 10:00:00 UTC",
        **more,
    }


NOTE = {"id": 5, "note": "Arrived.", "action": "create", "created_at": "2026-01-01 10:00:00 UTC", "system": False}
GITLAB = [
    (
        "a note",
        gitlab("note", object_attributes=NOTE, issue=gitlab_item()),
        message(
            "Arrived.",
            key="g-1",
            sender="gitlab:ann",
            sender_name="Ann Lee",
            thread="ann/parcel#3",
            message_id="note-5",
            subject="Late",
            at="2026-01-01T10:00:00+00:00",
        ),
    ),
    (
        "an edited note",
        gitlab("note", object_attributes=NOTE | {"action": "update"}, issue=gitlab_item()),
        message("Arrived.", type="message.edited", target="note-5"),
    ),
    (
        "a new issue",
        gitlab("issue", object_attributes=gitlab_item(action="open")),
        message("Late\n\nThree days.", message_id="issue-9", automated=False),
    ),
    (
        "a merge",
        gitlab("merge_request", object_attributes=gitlab_item(action="merge")),
        message("ann: merge !3: Late", automated=True, thread="ann/parcel!3"),
    ),
    (
        "a closed issue",
        gitlab("issue", object_attributes=gitlab_item(action="close")),
        message("ann: close #3: Late", automated=True, thread="ann/parcel#3"),
    ),
    (
        "a merge request",
        gitlab("merge_request", object_attributes=gitlab_item(action="open", description="")),
        message("Late", message_id="merge_request-9", thread="ann/parcel!3", automated=False),
    ),
    (
        "a note on a merge request",
        gitlab("note", object_attributes=NOTE, merge_request=gitlab_item()),
        message("Arrived.", thread="ann/parcel!3"),
    ),
    (
        "a push",
        gitlab("push", ref="refs/heads/main", user_username="ann", user_name="Ann Lee", total_commits_count=2),
        message("ann pushed to refs/heads/main of ann/parcel (2 commits)", automated=True, sender="gitlab:ann"),
    ),
    (
        "a pipeline",
        gitlab(
            "pipeline", object_attributes={"id": 4, "ref": "main", "status": "failed", "url": "https://x.example/4"}
        ),
        message("Pipeline 4 on main of ann/parcel: failed\nhttps://x.example/4", automated=True),
    ),
    ("a pipeline that runs", gitlab("pipeline", object_attributes={"status": "running"}), event("pipeline")),
    (
        "a release",
        gitlab("release", action="create", tag="v2", name="Two", url="https://x.example/v2", description="New."),
        message("ann/parcel v2: Two\nhttps://x.example/v2\n\nNew.", automated=True),
    ),
]


def stripe(type: str, **data: Any) -> Request:
    return call({"id": "evt_1", "object": "event", "type": type, "created": 1767268800, "data": {"object": data}})


MONEY = {"id": "pi_1", "amount": 1999, "currency": "eur", "customer": "cus_1"}
STRIPE = [
    (
        "a payment",
        stripe("payment_intent.succeeded", **MONEY, description="Order 7"),
        message(
            "payment_intent.succeeded: 1999 eur (Order 7)",
            key="evt_1",
            sender="stripe:cus_1",
            thread="pi_1",
            automated=True,
            at="2026-01-01T12:00:00+00:00",
        ),
    ),
    (
        "an unpaid invoice",
        stripe(
            "invoice.payment_failed",
            id="in_1",
            number="A-7",
            amount_due=1999,
            currency="eur",
            customer_email="ann@example.org",
            customer_name="Ann Lee",
            hosted_invoice_url="https://invoice.example/7",
            customer="cus_1",
        ),
        message(
            "invoice.payment_failed: A-7, 1999 eur, ann@example.org\nhttps://invoice.example/7", sender_name="Ann Lee"
        ),
    ),
    (
        "a dispute",
        stripe("charge.dispute.created", amount=5, currency="eur", reason="fraudulent", status="open", charge="ch_1"),
        message("charge.dispute.created: 5 eur, fraudulent, open", thread="ch_1"),
    ),
    (
        "a subscription that ends",
        stripe("customer.subscription.deleted", id="sub_1", status="canceled", customer="cus_1"),
        message("customer.subscription.deleted: sub_1, canceled", thread="sub_1"),
    ),
    ("anything else", stripe("plan.created", id="plan_1"), event("plan.created", data={"id": "plan_1"}, key="evt_1")),
    (
        "a thin event",
        call({"id": "evt_2", "object": "v2.core.event", "type": "v1.billing.meter.error", "related_object": {"id": 1}}),
        event("v1.billing.meter.error", key="evt_2"),
    ),
]


def alert(status: str, **more: Any) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": "DiskFull", "instance": "db1"},
        "annotations": {"summary": "db1 is full"},
        "startsAt": "2026-01-01T10:00:00.123456789Z",
        "endsAt": "2026-01-01T11:00:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
        "fingerprint": "f1",
        **more,
    }


def alerts(*each: dict[str, Any]) -> Request:
    return call({"receiver": "team", "status": "firing", "externalURL": "https://mon.example/", "alerts": [*each]})


ALERTS = [
    (
        "an alert, and another that is over",
        alerts(alert("firing"), alert("resolved", annotations={}, fingerprint="f2")),
        message(
            "[firing] DiskFull: db1 is full",
            key="f1:2026-01-01T10:00:00.123456789Z:firing",
            sender="https://mon.example/",
            sender_name="team",
            thread="f1",
            at="2026-01-01T10:00:00.123456+00:00",
            automated=True,
        ),
        message("[resolved] DiskFull", at="2026-01-01T11:00:00+00:00", thread="f2"),
    ),
    ("no alert at all", alerts(), event("alert.firing")),
]


def slack(kind: str = "message", **inner: Any) -> Request:
    return call(
        {
            "type": "event_callback",
            "team_id": "T1",
            "event_id": "Ev1",
            "event_time": 1767268800,
            "event": {"type": kind, "channel": "C1", "ts": "1767268800.000100", **inner},
        },
        {"X-Slack-Retry-Num": "1"},
    )


SLACK = [
    (
        "a message",
        slack(user="U1", text="Hello", channel_type="channel"),
        message(
            "Hello",
            key="Ev1",
            sender="slack:T1/U1",
            thread="C1",
            message_id="C1/1767268800.000100",
            automated=False,
            at="2026-01-01T12:00:00.000100+00:00",
        ),
    ),
    (
        "a message in a thread",
        slack(user="U1", text="Hello", thread_ts="1767268700.000100"),
        message("Hello", thread="C1/1767268700.000100"),
    ),
    (
        "a message of an app",
        slack(subtype="bot_message", bot_id="B1", username="tidy", text="Tidied."),
        message("Tidied.", automated=True, sender="slack:T1/B1", sender_name="tidy"),
    ),
    ("our own", slack(user="U9", bot_id="B9", text="As you wish."), message("As you wish.", automated=True)),
    (
        "an edit",
        slack(subtype="message_changed", message={"user": "U1", "text": "Hullo", "ts": "1767268700.000100"}),
        message("Hullo", type="message.edited", target="C1/1767268700.000100", sender="slack:T1/U1", automated=False),
    ),
    (
        "a deletion",
        slack(subtype="message_deleted", deleted_ts="1767268700.000100"),
        {"type": "message.retracted", "target": "C1/1767268700.000100"},
    ),
    ("somebody joined", slack(subtype="channel_join", user="U1", text="U1 joined"), event("message.channel_join")),
    ("a mention", slack("app_mention", user="U1", text="<@U9> hi"), event("app_mention", sender="slack:T1/U1")),
    (
        "a command",
        call(
            b"team_id=T1&channel_id=C1&user_id=U1&user_name=ann&command=%2Fparcel&text=where+is+it&trigger_id=13.7",
            {"content-type": "application/x-www-form-urlencoded"},
        ),
        message("/parcel where is it", key="13.7", sender="slack:T1/U1", thread="C1", details={"name": "command"}),
    ),
    (
        "a click",
        call(
            b"payload=%7B%22type%22%3A%22block_actions%22%2C%22trigger_id%22%3A%2213.8%22%7D",
            {"content-type": "application/x-www-form-urlencoded"},
        ),
        event("block_actions", data={"type": "block_actions", "trigger_id": "13.8"}, key="13.8"),
    ),
    ("a reaction", slack("reaction_added", user="U1", reaction="tada"), event("reaction_added", key="Ev1")),
]

ORDER = {
    "name": "#1001",
    "total_price": "19.99",
    "currency": "EUR",
    "email": "ann@example.org",
    "note": None,
    "admin_graphql_api_id": "gid://shopify/Order/1",
    "line_items": [{"name": "Tea"}, {"name": "Cup"}],
    "created_at": "2026-01-01T10:00:00+01:00",
}


def shopify(topic: str, **body: Any) -> Request:
    headers = {"X-Shopify-Topic": topic, "X-Shopify-Event-Id": "e1", "X-Shopify-Shop-Domain": "tea.myshopify.com"}
    return call(body, headers)


SHOPIFY = [
    (
        "an order",
        shopify("orders/create", **ORDER),
        message(
            "Order #1001: 19.99 EUR\nTea, Cup",
            key="orders/create:e1",
            sender="mailto:ann@example.org",
            thread="gid://shopify/Order/1",
            automated=True,
        ),
    ),
    (
        "a paid order of nobody",
        shopify("orders/paid", **ORDER | {"email": ""}),
        message("orders/paid: #1001, 19.99 EUR", key="orders/paid:e1", sender="shopify:tea.myshopify.com"),
    ),
    ("anything else", shopify("products/update", id=1), event("products/update", key="products/update:e1")),
]

SENDGRID = [
    (
        "several at once",
        call(
            [
                {
                    "event": "delivered",
                    "sg_event_id": "s1",
                    "sg_message_id": "m1",
                    "email": "ann@example.org",
                    "timestamp": 1767268800,
                },
                {"event": "bounce", "sg_event_id": "s2", "email": "bob@example.org", "reason": "500 unknown"},
            ]
        ),
        event("delivered", key="s1", sender="mailto:ann@example.org", thread="m1", at="2026-01-01T12:00:00+00:00"),
        event("bounce", key="s2", sender="mailto:bob@example.org"),
    )
]
MAILGUN_EVENT = {
    "event": "failed",
    "id": "mg1",
    "timestamp": 1767268800.5,
    "recipient": "ann@example.org",
    "message": {"headers": {"message-id": "m1@example.org"}},
}
MAILGUN = [
    (
        "a bounce",
        call({"signature": {"timestamp": "1", "token": "t", "signature": "s"}, "event-data": MAILGUN_EVENT}),
        event("failed", data=MAILGUN_EVENT, sender="mailto:ann@example.org", thread="m1@example.org"),
    )
]
FLAT = [
    (
        "all fields",
        call(
            {
                "text": "Hi",
                "sender": "mailto:ann@example.org",
                "sender_name": "Ann",
                "id": 7,
                "subject": "s",
                "conversation": "c",
                "at": 1767268800,
                "automated": True,
            }
        ),
        message("Hi", key="7", sender="mailto:ann@example.org", sender_name="Ann", thread="c", automated=True),
    ),
    (
        "a form",
        call(b"text=Hi&sender=ann&id=8", {"content-type": "application/x-www-form-urlencoded"}),
        message("Hi", key="8", sender="webhook:ci/ann", automated=False),
    ),
    ("no message", call({"type": "deployed", "id": 9, "version": 2}), event("deployed", key="9")),
]

SAMPLES = [
    Sample(preset, about, request, expected)
    for preset, samples in {
        "github": GITHUB,
        "gitlab": GITLAB,
        "stripe": STRIPE,
        "grafana": ALERTS,
        "alertmanager": ALERTS,
        "slack": SLACK,
        "shopify": SHOPIFY,
        "sendgrid": SENDGRID,
        "mailgun": MAILGUN,
        "flat": FLAT,
    }.items()
    for about, request, *expected in samples
]
