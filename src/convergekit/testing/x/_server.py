"""A server that plays the API of X."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from inspect import isawaitable
from typing import Any, Final, TypeVar

import anyio
import httpx

from ._activity import Activity
from ._answers import Problem, invalid
from ._asked import Asked, Route, same_route
from ._limits import Limits, OverLimit
from ._model import Call, Post
from ._oauth import OAuth, Who
from ._people import Account, Person
from ._routes import ROUTES
from ._script import Step
from ._shown import OLD_NAMES, Dialect
from ._till import Till
from ._wire import HttpDoor, InProcess, asgi

__all__ = ["XServer"]

PersonT = TypeVar("PersonT", bound=Person)

_NOBODY: Final = Who(None, "nobody")


def _now() -> datetime:
    return datetime.now(UTC)


class XServer(Till):
    """Plays the API of X: version 2, the activity API, webhooks, media and tokens.

    It holds to what X publishes: the shapes, the limits with their headers, the prices, the refusals. What people do
    is said by `account` and `user`; what goes wrong, by `script`; what was asked is in `requests`.

    Args:
        now: What time it is.
        sleep: Waits; for answers that are slow.
        dialect: Whether answers have the names of fields before version 2.167 ("tweet") or since ("post"). In requests
            both are understood.
        self_serve: Whether the account may answer only who has mentioned or quoted it, and may not quote.
        credit: US dollars that may be spent; None is without end.

    Attributes:
        consumer_key: Of the app, for OAuth 1.0a.
        consumer_secret: The secret with it; webhooks are signed with it.
        client_id: Of the app, for OAuth 2.0.
        client_secret: The secret with it.
        bearer_token: The app's own.
        is_public_client: Whether the app has no secret, and says its id only.
        is_self_serve: See `self_serve`.
        refuses_duplicates: Whether the same text of one account within a day is refused.
        checks_time: Whether a signature of OAuth 1.0a has to be of now.
        pages_shift: Whether what comes meanwhile moves the pages, so that some is shown twice.
        processing: How often the state of a video is asked for until it is ready.
        fails_processing: Whether it never is.
        requests: What was asked, in order.
        limits: How often what may be asked; its `table` can be changed.
        prices: What one of each costs.
        spent: US dollars so far.
        oauth: Tokens.
        activity: Webhooks, subscriptions and streams.
        observers: Each is called with every request and its answer.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = _now,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        dialect: Dialect = "tweet",
        self_serve: bool = True,
        credit: Decimal | None = None,
    ) -> None:
        super().__init__(now=now, dialect=dialect, credit=credit)
        self.sleep = sleep
        self.consumer_key, self.consumer_secret = "consumer-key", "consumer-secret-of-the-app"
        self.client_id, self.client_secret = "client-id", "client-secret-of-the-app"
        self.bearer_token = "bearer-token-of-the-app"
        self.is_public_client = False
        self.is_self_serve = self_serve
        self.refuses_duplicates = True
        self.checks_time = True
        self.pages_shift = False
        self.processing = 2
        self.fails_processing = False
        self.requests: list[Call] = []
        self.limits = Limits()
        self.oauth = OAuth(self)
        self.activity = Activity(self)
        self.observers: list[Callable[[httpx.Request, httpx.Response], None]] = []
        self.said: dict[tuple[str, str, Post | None], Post] = {}
        self.revoked: set[Account] = set()
        self.transport: httpx.AsyncBaseTransport = InProcess(self.respond)
        self._door = HttpDoor(self.respond)
        self._scripts: list[tuple[str, str, deque[Step], Step | None]] = []

    # Who is there

    def account(self, username: str = "support", *, id: str | None = None, name: str | None = None) -> Account:
        """An account whose keys the app has."""
        return self._there(Account(self, id or str(len(self.people) + 1001), username, name or username.title()))

    def user(self, username: str, *, id: str | None = None, name: str | None = None) -> Person:
        """Somebody else; the same person each time."""
        known = self.person(username)
        return known or self._there(
            Person(self, id or str(len(self.people) + 1001), username, name or username.title())
        )

    def revoke(self, account: Account) -> None:
        """See `Account.revoke`."""
        self.revoked.add(account)
        self.oauth.forget(account)
        self._revoked(account)

    def happened(
        self, event_type: str, user: Person, payload: Mapping[str, Any], includes: Mapping[str, Any] | None = None
    ) -> None:
        """See `Activity.tell`."""
        self.activity.tell(event_type, user, payload, includes)

    # Ways in

    async def app(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """The server as an application of ASGI; what would close the connection without an answer is raised."""
        await asgi(self.respond, scope, receive, send)

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[str]:
        """Serve over HTTP on loopback meanwhile; yields the URL. The port stays the same the next time."""
        async with self._door.open() as url:
            yield url

    def go_away(self) -> None:
        """From now on connections are refused; those that there are stay."""
        self._door.go_away()

    def come_back(self) -> None:
        """From now on they are taken again."""
        self._door.come_back()

    def drop(self) -> None:
        """Close the connections that there are."""
        self._door.drop()

    # What goes wrong

    def script(self, method: str, route: str, *steps: Step, then: Step | None = None) -> None:
        """Say what becomes of the next requests to a route.

        Args:
            method: As "POST".
            route: A template as "/2/users/:id/mentions" or "/2/users/{id}/mentions"; "*" is any.
            *steps: One for each request.
            then: For all that come after, until `unscript`.
        """
        self._scripts.append((method.upper(), route, deque(steps), then))

    def unscript(self) -> None:
        """From now on all is well."""
        self._scripts.clear()

    def count(self, method: str | None = None, route: str | None = None) -> int:
        """How many requests there were: all, or of a method, or to a route."""
        return sum(
            1
            for call in self.requests
            if (method is None or call.method == method) and (route is None or same_route(call.route, route))
        )

    # Answers

    async def respond(self, request: httpx.Request) -> httpx.Response:
        """The answer to *request*.

        Raises:
            httpx.RemoteProtocolError: None; the connection is closed.
            httpx.ReadError: None; the connection is reset.
        """
        route, args = self._found(request)
        query = self._query(request)
        path = route.template if route is not None else request.url.path
        call = Call(request.method, path, query, self.now())
        self.requests.append(call)

        async def proceed(refusal: Problem | None = None) -> httpx.Response:
            return await self._proceed(request, route, args, query, call, refusal)

        step = self._step(request.method, path)
        answer = await (step.play(self, proceed) if step is not None else proceed())
        call.status = answer.status_code
        for observer in self.observers:
            observer(request, answer)
        return answer

    def _there(self, person: PersonT) -> PersonT:
        self.people[person.id] = self.handles[person.username.lower()] = person
        return person

    def _found(self, request: httpx.Request) -> tuple[Route | None, dict[str, str]]:
        for route in ROUTES:
            if route.method == request.method and (args := route.match(request.url.path)) is not None:
                return route, args
        return None, {}

    def _query(self, request: httpx.Request) -> dict[str, str]:
        names: dict[str, list[str]] = {}
        for name, value in request.url.params.multi_items():
            names.setdefault(OLD_NAMES.get(name, name), []).append(value)
        return {name: ",".join(values) for name, values in names.items()}

    def _step(self, method: str, path: str) -> Step | None:
        for wanted, route, steps, then in self._scripts:
            if wanted in (method, "*") and (route == "*" or same_route(route, path)):
                if steps:
                    return steps.popleft()
                if then is not None:
                    return then
        return None

    async def _proceed(
        self,
        request: httpx.Request,
        route: Route | None,
        args: dict[str, str],
        query: dict[str, str],
        call: Call,
        refusal: Problem | None,
    ) -> httpx.Response:
        headers: dict[str, str] = {}
        try:
            if route is None:
                raise Problem(404, "The requested resource was not found.")
            who = self._allowed(request, route)
            call.who = who.account.username if who.account is not None else "app" if who.way == "app" else ""
            headers = self.limits.take(route, who, self.now())
            if refusal is not None:
                raise refusal
            if self.is_empty and who.way != "nobody":
                raise Problem(402, "credits depleted", "credits-depleted")
            if unknown := sorted(query.keys() - route.query):
                names = ",".join(f"[{name}]" for name in unknown)
                raise invalid(f"The query parameters {names} are not expected", **{unknown[0]: query[unknown[0]]})
            made = route.handler(self, Asked(request, route, args, query, who))
            answer = await made if isawaitable(made) else made
        except OverLimit as refused:
            answer, headers = refused.answer(self.host), refused.headers
        except Problem as refused:
            answer = refused.answer(self.host)
        answer.headers.update(headers)
        return answer

    def _allowed(self, request: httpx.Request, route: Route) -> Who:
        if not route.ways:
            return _NOBODY
        who = self.oauth.who(request)
        if who.way not in route.ways:
            kinds = {"app": "OAuth 2.0 Application-Only", "oauth1": "OAuth 1.0a User Context"}
            detail = (
                f"Authenticating with {kinds.get(who.way, 'OAuth 2.0 User Context')} is forbidden for this endpoint."
            )
            raise Problem(403, detail, "unsupported-authentication", title="Unsupported Authentication")
        if who.scopes is not None and not route.scopes <= who.scopes:
            raise Problem(403, "The token has not the scopes that this endpoint asks for.")
        return who
