"""Who asks: tokens that run out and rotate, signatures, and what each of them allows."""

import base64
import hashlib
from datetime import timedelta
from typing import Any

import httpx
import pytest
from oauthlib.oauth1 import Client as Signer

from convergekit.testing import FakeClock
from convergekit.testing.x import Account, XServer

pytestmark = pytest.mark.anyio

ORIGIN = "https://api.x.com"


async def asked(x: XServer, authorization: str, path: str = "/2/users/me", method: str = "GET", **more: Any) -> int:
    async with httpx.AsyncClient(transport=x.transport, base_url=ORIGIN) as api:
        headers = {"authorization": authorization, **more.pop("headers", {})}
        return (await api.request(method, path, headers=headers, **more)).status_code


async def token(x: XServer, headers: Any = None, **form: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=x.transport, base_url=ORIGIN) as api:
        headers = headers if headers is not None else {"authorization": x.only_account.basic}
        return await api.post("/2/oauth2/token", data=form, headers=headers)


class TestOAuth2:
    async def test_an_access_token_holds_for_two_hours(self, x: XServer, support: Account, clock: FakeClock) -> None:
        held = f"Bearer {support.access_token}"
        assert await asked(x, held) == 200
        clock.advance(timedelta(hours=2).total_seconds())
        assert await asked(x, held) == 401
        assert [await asked(x, each) for each in ("Bearer nothing", "", "Basic x")] == [401, 401, 401]

    async def test_a_refresh_gives_another_pair(self, x: XServer, support: Account) -> None:
        first = support.refresh_token
        pair = (await token(x, grant_type="refresh_token", refresh_token=first)).json()
        assert await asked(x, f"Bearer {pair['access_token']}") == 200
        assert pair["refresh_token"] == support.refresh_token != first

    async def test_a_refresh_token_that_comes_twice_ends_them_all(self, x: XServer, support: Account) -> None:
        first = support.refresh_token
        pair = (await token(x, grant_type="refresh_token", refresh_token=first)).json()
        again = await token(x, grant_type="refresh_token", refresh_token=first)
        assert (again.status_code, again.json()["error"], x.oauth.reused) == (400, "invalid_request", 1)
        assert await asked(x, f"Bearer {pair['access_token']}") == 401
        last = await token(x, grant_type="refresh_token", refresh_token=pair["refresh_token"])
        assert (last.status_code, x.oauth.refreshed) == (400, 1)

    async def test_only_the_app_gets_tokens(self, x: XServer, support: Account) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": support.refresh_token}
        wrong = "Basic " + base64.b64encode(b"client-id:wrong").decode()
        assert (await token(x, {"authorization": wrong}, **form)).status_code == 401
        assert (await token(x, {}, **form, client_id=x.client_id)).status_code == 401
        x.is_public_client = True
        assert (await token(x, {}, **form, client_id=x.client_id)).status_code == 200
        assert (await token(x, grant_type="password")).json()["error"] == "unsupported_grant_type"

    async def test_a_code_is_good_once_for_whoever_asked_and_for_thirty_seconds(
        self, x: XServer, support: Account, clock: FakeClock
    ) -> None:
        verifier, uri = "v" * 43, "https://app.example.org/back"
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")

        def code() -> dict[str, str]:
            made = x.oauth.authorize(support, challenge=challenge, redirect_uri=uri)
            return {"grant_type": "authorization_code", "code": made, "redirect_uri": uri, "code_verifier": verifier}

        good = code()
        assert [(await token(x, **good)).status_code for _ in range(2)] == [200, 400]
        assert (await token(x, **code() | {"code_verifier": "w" * 43})).status_code == 400
        late = code()
        clock.advance(31)
        assert (await token(x, **late)).status_code == 400

    async def test_a_token_allows_what_its_scopes_say(self, x: XServer, support: Account) -> None:
        held = "Bearer " + x.oauth.issue(support, {"tweet.read", "users.read"})
        assert await asked(x, held) == 200
        assert await asked(x, held, "/2/dm_events") == 403
        assert await asked(x, held, "/2/tweets", "POST", json={"text": "x"}) == 403

    async def test_the_apps_own_token_is_not_everywhere_enough(self, x: XServer, support: Account) -> None:
        held = f"Bearer {x.bearer_token}"
        assert await asked(x, held, f"/2/users/{support.id}/mentions") == 200
        assert await asked(x, held) == 403
        assert await asked(x, f"Bearer {support.access_token}", "/2/webhooks") == 403

    async def test_a_revoked_token_does_not_hold(self, x: XServer, support: Account) -> None:
        held = support.access_token
        async with httpx.AsyncClient(transport=x.transport, base_url=ORIGIN) as api:
            await api.post("/2/oauth2/revoke", data={"token": held}, headers={"authorization": support.basic})
        assert await asked(x, f"Bearer {held}") == 401


class TestOAuth1:
    """Signed by oauthlib, which the server has nothing to do with."""

    def signed(self, x: XServer, url: str, method: str = "GET", **more: Any) -> str:
        account = x.only_account
        at = {"timestamp": str(int(x.now().timestamp())), **more}
        signer = Signer(x.consumer_key, x.consumer_secret, account.token, account.token_secret, **at)
        _, headers, _ = signer.sign(url, method)
        return str(headers["Authorization"])

    async def test_a_signature_over_method_url_and_query_is_good(self, x: XServer, support: Account) -> None:
        path = f"/2/users/{support.id}/mentions?max_results=5&tweet.fields=created_at%2Cauthor_id"
        assert await asked(x, self.signed(x, ORIGIN + path), path) == 200
        assert await asked(x, self.signed(x, ORIGIN + path, "POST"), path) == 401
        assert await asked(x, self.signed(x, ORIGIN + path.replace("5", "6")), path) == 401

    async def test_it_may_be_made_for_the_host_that_a_client_cannot_change(self, x: XServer) -> None:
        assert await asked(x, self.signed(x, "https://api.twitter.com/2/users/me")) == 200
        assert await asked(x, self.signed(x, "https://other.example/2/users/me")) == 401

    async def test_a_body_of_json_is_not_signed_for(self, x: XServer) -> None:
        header = self.signed(x, f"{ORIGIN}/2/tweets", "POST")
        assert await asked(x, header, "/2/tweets", "POST", json={"text": "x"}) == 201

    async def test_it_is_good_once_and_now(self, x: XServer) -> None:
        url = f"{ORIGIN}/2/users/me"
        once = self.signed(x, url, nonce="n" * 20)
        assert [await asked(x, once), await asked(x, once)] == [200, 401]
        assert await asked(x, self.signed(x, url, timestamp="1000")) == 401
        x.checks_time = False
        assert await asked(x, self.signed(x, url, timestamp="1000")) == 200

    async def test_the_keys_have_to_be_the_right_ones(self, x: XServer, support: Account) -> None:
        url = f"{ORIGIN}/2/users/me"
        for name in ("consumer_secret", "consumer_key"):
            right = getattr(x, name)
            setattr(x, name, "wrong")
            wrong = self.signed(x, url)
            setattr(x, name, right)
            assert await asked(x, wrong) == 401
        support.token_secret, right = "wrong", support.token_secret
        wrong = self.signed(x, url)
        support.token_secret = right
        assert await asked(x, wrong) == 401


async def test_what_is_kept_of_a_request_has_no_secret(x: XServer, support: Account) -> None:
    held = support.access_token
    await asked(x, f"Bearer {held}")
    await token(x, grant_type="refresh_token", refresh_token=support.refresh_token)
    kept = repr(x.requests)
    assert [call.who for call in x.requests] == ["support", ""]
    assert not any(each in kept for each in (held, support.refresh_token, x.client_secret, "secret"))
