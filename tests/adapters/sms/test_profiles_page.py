"""The page about gateways of one's own says what the schema says, and its example is one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from convergekit.adapters.sms import SmsConfig, profiles
from convergekit.adapters.sms.request import Requests
from convergekit.model import ReceiptReceived, Status
from docs.sms_profiles import BEGIN, PAGE, missing, page
from tests.adapters.sms.gateway_kit import NOW, REFERENCE, US, answered, called, channel, consents, message, out, report

DRUM = Path(__file__).parents[3] / "examples" / "drum" / "src" / "convergekit_drum" / "drum.toml"
CONFIG = SmsConfig.model_validate(
    {
        "profile": DRUM,
        "from": US,
        "callback_url": "https://example.org/hooks/alerts",
        "account": {"token": "wonderland", "signing_key": "rabbit-hole"},
    }
)


def test_the_page_is_up_to_date() -> None:
    """If not: python docs/sms_profiles.py."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


def test_every_table_of_the_schema_is_on_it() -> None:
    assert missing() == set()


def test_a_page_without_its_marker_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="marker"):
        page("# A gateway of your own\n")


def test_links_on_the_page_lead_to_its_headings() -> None:
    text = PAGE.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^#+ (.*)$", text, re.M)
    }

    assert set(re.findall(r"\]\(#([a-z-]+)\)", text)) <= headings


def test_settings_on_the_page_are_right() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8").partition(BEGIN)[0], re.DOTALL)
    settings = tomllib.loads(block)["channels"]["alerts"]
    assert settings.pop("adapter") == "sms"
    account = dict.fromkeys(settings["account"], "secret")

    assert SmsConfig.model_validate(settings | {"profile": DRUM, "account": account}).loaded.name == "drum"


def test_the_error_on_the_page_is_the_one_that_is_raised() -> None:
    table = tomllib.loads(DRUM.read_text(encoding="utf-8"))
    table["send"]["url"] = "{tokn}/v2/messages"

    with pytest.raises(
        ValueError, match=r"send\.url: \{tokn\} is neither a setting of this profile nor one of to, from"
    ):
        SmsConfig.model_validate({"profile": table, "account": {"token": "wonderland"}})


def test_the_gateway_of_the_page_sends() -> None:
    request = Requests(CONFIG).build(out(), now=NOW)

    assert request.url == "https://api.drum.example/v2/messages"
    assert request.headers["idempotency-key"] == "k41"
    assert answered(CONFIG, {"message": {"id": "d1", "segments": 1}}, 202).ids == ("d1",)


def test_it_receives_and_reports_in_one_call() -> None:
    numbers = {"sender": {"number": "4915112345678"}, "recipient": {"number": "15005550006"}}
    read = called(
        CONFIG,
        {
            "events": [
                {"kind": "message", "id": "in1", "time": "2026-03-01T12:00:00Z", "text": "Hi"} | numbers,
                {"kind": "report", "message_id": "d1", "client_ref": REFERENCE, "state": "delivered"},
                {"kind": "sent_by_you", "id": "d1"},
            ]
        },
    )
    assert len(read.events) == 2
    assert message(read).text == "Hi"
    (receipt,) = (each.receipt for each in read.events if isinstance(each, ReceiptReceived))
    assert (receipt.status, receipt.delivery) == (Status.DELIVERED, "d41")


def test_its_word_for_an_opt_out_takes_back_consent() -> None:
    said = {"kind": "report", "message_id": "d1", "state": "undelivered", "cause": "stopped"}
    read = called(CONFIG, {"events": [said | {"recipient": {"number": "4915112345678"}}]})

    assert report(read).status is Status.FAILED
    assert consents(read) == [("sms:+4915112345678", False)]


def test_its_name_leads_nowhere_before_somebody_brings_it() -> None:
    assert "drum" not in profiles.names(installed=lambda: ())
    with pytest.raises(ValueError, match="no SMS gateway is called 'drum'"):
        channel("drum", {})
