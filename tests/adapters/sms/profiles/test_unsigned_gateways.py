"""How the calls of gateways that sign little or nothing prove themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from convergekit.adapters.sms.verify import verifier
from convergekit.errors import SignatureError
from tests.adapters.sms.gateway_kit import NOW, channel
from tests.adapters.sms.profiles.unsigned import ALL, TOKEN, Gateway

pytestmark = pytest.mark.parametrize("gateway", ALL, ids=repr)


class TestToken:
    """Of each of them a path that nobody can guess proves a call, where no secret is set."""

    def test_a_call_of_the_right_path_is_taken(self, gateway: Gateway) -> None:
        verifier(gateway.config)(gateway.message(), NOW)
        verifier(gateway.config)(gateway.report(gateway.failed), NOW)

    @pytest.mark.parametrize("path", ["", "/", f"/{TOKEN}0", f"/{TOKEN[:-1]}", f"/{TOKEN}/more", f"/{TOKEN.upper()}"])
    def test_a_call_of_any_other_is_not(self, gateway: Gateway, path: str) -> None:
        with pytest.raises(SignatureError):
            verifier(gateway.config)(replace(gateway.message(), path=path), NOW)

    def test_without_one_no_call_is_taken_and_the_setting_is_named(self, gateway: Gateway) -> None:
        with pytest.raises(SignatureError, match="callback_token"):
            verifier(channel(gateway.name, gateway.account))(replace(gateway.message(), path=""), NOW)
