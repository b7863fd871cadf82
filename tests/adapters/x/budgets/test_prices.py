"""What X charges, and for what."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from convergekit.adapters.x import BudgetConfig
from convergekit.adapters.x.budgets.prices import PRICES, Cost, cost_of, items_of, price_list


@pytest.mark.parametrize(
    ("method", "route", "body", "kind"),
    [
        ("POST", "/2/tweets", {"text": "hello"}, "post.create"),
        ("POST", "/2/tweets", {"text": "see https://example.org/a"}, "post.create_with_url"),
        ("POST", "/2/tweets", {"text": "see example.org"}, "post.create_with_url"),
        ("POST", "/2/tweets", {"text": "hm...yes, 3.50 or 1.2"}, "post.create"),
        ("POST", "/2/tweets", {"text": "hi", "reply": {"in_reply_to_tweet_id": "1"}}, "post.reply_summoned"),
        ("POST", "/2/tweets", {"text": "x.org", "reply": {"in_reply_to_tweet_id": "1"}}, "post.create_with_url"),
        ("POST", "/2/dm_conversations/with/7/messages", {"text": "hi"}, "dm.create"),
        ("POST", "/2/dm_conversations", {}, "dm.create"),
        ("DELETE", "/2/tweets/7", None, "delete"),
        ("DELETE", "/2/dm_events/7", None, "delete"),
        ("POST", "/2/media/metadata", {}, "media.metadata"),
        ("GET", "/2/users/7/mentions", None, "post.read"),
        ("GET", "/2/tweets/7", None, "post.read"),
        ("GET", "/2/users/me", None, "user.read"),
        ("GET", "/2/users/by/username/ann", None, "user.read"),
        ("GET", "/2/dm_conversations/with/7/dm_events", None, "dm.read"),
    ],
)
def test_a_request_has_its_price(method: str, route: str, body: Any, kind: str) -> None:
    cost = cost_of(method, route, body, summoned=True)

    assert cost is not None
    assert cost.kind == kind


@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("POST", "/2/media/upload/initialize"),
        ("GET", "/2/webhooks"),
        ("POST", "/2/webhooks"),
        ("DELETE", "/2/activity/subscriptions/7"),
        ("GET", "/2/activity/stream"),
    ],
)
def test_what_x_takes_nothing_for_has_none(method: str, route: str) -> None:
    assert cost_of(method, route) is None


def test_an_answer_to_who_has_not_summoned_us_costs_what_a_post_does() -> None:
    assert cost_of("POST", "/2/tweets", {"text": "hi", "reply": {}}, summoned=False) == Cost("post.create")


@pytest.mark.parametrize("body", [None, [], "x", {"text": None}, {"text": 5}])
def test_a_body_of_any_form_has_a_price(body: Any) -> None:
    assert cost_of("POST", "/2/tweets", body) == Cost("post.create")


def test_prices_can_be_changed_by_name_and_only_by_one_that_there_is() -> None:
    assert price_list({"post.create": Decimal("0.5")}) == {**PRICES, "post.create": Decimal("0.5")}
    for wrong in ("-1", "NaN"):
        with pytest.raises(ValueError, match="delete must be 0"):
            price_list({"delete": Decimal(wrong)})


def test_a_price_that_there_is_not_is_told_with_the_other_settings() -> None:
    with pytest.raises(ValidationError, match=r"prices\s+Value error, there is no post\.creat; there are post\.read,"):
        BudgetConfig.model_validate({"prices": {"post.creat": "0.5"}})


def test_each_object_of_an_answer_is_an_item() -> None:
    body = {
        "data": [{"id": "1", "author_id": "7"}, {"id": "2", "author_id": "8"}],
        "includes": {"users": [{"id": "7"}, {"id": "9"}], "tweets": [{"id": "3"}], "media": [{"media_key": "m"}]},
    }

    assert list(items_of("/2/users/9/mentions", body, own="9")) == [
        ("post.read", "1"),
        ("post.read", "2"),
        ("post.read", "3"),
        ("user.read", "7"),
        ("own.read", "9"),
    ]


def test_what_one_wrote_oneself_is_cheaper() -> None:
    assert list(items_of("/2/tweets/1", {"data": {"id": "1", "author_id": "9"}}, own="9")) == [("own.read", "1")]


def test_direct_messages_are_direct_messages() -> None:
    body = {"data": [{"id": "1", "sender_id": "9"}]}

    assert list(items_of("/2/dm_conversations/with/7/dm_events", body, own="9")) == [("dm.read", "1")]


@pytest.mark.parametrize(
    "body",
    [None, [], "x", {}, {"data": None}, {"data": [None, 5, {"id": 7}]}, {"includes": []}, {"includes": {"users": 5}}],
)
def test_an_answer_of_any_form_can_be_counted(body: Any) -> None:
    assert list(items_of("/2/users/7/mentions", body)) == []
