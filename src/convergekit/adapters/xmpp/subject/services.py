"""What a server answers by itself: what it can do, who is known, what was said, where files go (RFC 6121 and XEPs)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import quote
from xml.etree.ElementTree import Element

from ..stanzas.namespaces import NS, tag
from .archive import Archive, ForgottenError
from .reading import element, text_of
from .session import Said, Session

if TYPE_CHECKING:
    from .server import XmppServer

__all__ = ["Refused", "Services", "error_of", "features"]

_ROSTER_ITEM: Final = f"{tag(NS.ROSTER, 'query')}/{tag(NS.ROSTER, 'item')}"
#: What each word of a subscription makes of "may we see them" and "may they see us".
_SUBSCRIPTIONS: Final[Mapping[str, tuple[str, bool]]] = {
    "subscribed": ("from", True),
    "unsubscribed": ("from", False),
    "unsubscribe": ("to", False),
}
_BOTH: Final = frozenset({"to", "from"})


class Refused(Exception):
    """An <iq/> or a presence is refused.

    Args:
        condition: The defined condition (RFC 6120 §8.3.3).
        type: "cancel", "auth" or "modify".
    """

    def __init__(self, condition: str, type: str = "cancel") -> None:
        super().__init__(condition)
        self.condition, self.type = condition, type


def error_of(refused: Refused) -> str:
    """As it stands in a stanza of the type "error"."""
    return element("error", element(refused.condition, xmlns=NS.STANZAS), type=refused.type)


def features(*names: str, identity: tuple[str, str], more: str = "") -> str:
    """An answer to "what can you do" (XEP-0030)."""
    told = "".join(element("feature", var=name) for name in (NS.DISCO_INFO, *names))
    return element(
        "query", element("identity", category=identity[0], type=identity[1]) + told + more, xmlns=NS.DISCO_INFO
    )


class Services:
    """All that is neither a message nor a room.

    Args:
        server: Whose.
    """

    def __init__(self, server: XmppServer) -> None:
        self._server = server
        self._uploads = f"upload.{server.domain}"
        self._slots = 0

    def answer(self, iq: Element, session: Session) -> None:
        """Answer *iq*; what is an answer itself is taken note of."""
        if iq.get("type") not in ("get", "set") or len(iq) != 1:
            return
        to = iq.get("to")
        try:
            said, kind = self._answer(iq[0], to, iq.get("type"), session), "result"
        except Refused as refused:
            said, kind = error_of(refused), "error"
        session.say(Said(element("iq", said, type=kind, id=iq.get("id"), to=session.jid, from_=to)))

    def _answer(self, asked: Element, to: str | None, type: str | None, session: Session) -> str:
        rooms = self._server.rooms
        if to is not None and to.partition("/")[0].endswith(rooms.domain):
            return rooms.answer(asked, to, session)
        known: dict[str, Callable[[], str]] = {
            tag(NS.ROSTER, "query"): lambda: self._roster(asked, type, session),
            tag(NS.MAM, "query"): lambda: self.page(asked, session.account.archive, None, session),
            tag(NS.DISCO_INFO, "query"): lambda: self._info(to, session),
            tag(NS.DISCO_ITEMS, "query"): self._items,
            tag(NS.UPLOAD, "request"): lambda: self._slot(asked),
            tag(NS.CARBONS, "enable"): str,
            tag(NS.PING, "ping"): str,
        }
        if asked.tag not in known:
            raise Refused("service-unavailable")
        return known[asked.tag]()

    def page(self, asked: Element, archive: Archive, by: str | None, session: Session) -> str:
        """One page of *archive*, and the end of it."""
        try:
            results, fin = archive.results(asked)
        except ForgottenError:
            raise Refused("item-not-found") from None
        for result in results:
            session.say(Said(element("message", result, to=session.jid, from_=by)))
        if "complete=" in fin and session.is_there:
            session.has_read[by or ""].set()
        return fin

    def _info(self, to: str | None, session: Session) -> str:
        if to == self._uploads:
            form = _form(NS.UPLOAD, {"max-file-size": "100000000"})
            return features(NS.UPLOAD, identity=("store", "file"), more=form)
        if to in (None, session.account.jid):
            return features(NS.MAM, NS.SID, identity=("account", "registered"))
        if to == self._server.domain:
            return features(NS.DISCO_ITEMS, NS.CARBONS, NS.PING, identity=("server", "im"))
        raise Refused("service-unavailable")

    def _items(self) -> str:
        items = (element("item", jid=jid) for jid in (self._server.rooms.domain, self._uploads))
        return element("query", "".join(items), xmlns=NS.DISCO_ITEMS)

    def _slot(self, asked: Element) -> str:
        self._slots += 1
        url = f"{self._server.base_url}{self._slots}/{quote(asked.get('filename', 'file'))}"
        return element("slot", element("put", url=url) + element("get", url=url), xmlns=NS.UPLOAD)

    # --- who is known, and who is there ---------------------------------------------------------------------------

    def _roster(self, asked: Element, type: str | None, session: Session) -> str:
        roster = session.account.roster
        if type == "get":
            items = (element("item", jid=jid, subscription=how) for jid, how in roster.items())
            return element("query", "".join(items), xmlns=NS.ROSTER)
        for item in asked:
            jid = item.get("jid", "")
            self._know(session, jid, "remove" if item.get("subscription") == "remove" else roster.get(jid, "none"))
        return ""

    def presence(self, presence: Element, session: Session) -> None:
        """What a client shows to all, or has to say to one about seeing each other."""
        to, kind = presence.get("to"), presence.get("type", "")
        if to is None:
            session.is_there, was_there = not kind, session.is_there
            while session.is_there and not was_there and session.account.offline:
                session.say(session.account.offline.popleft())
            return
        if kind in _SUBSCRIPTIONS:
            self._subscribe(session, to.partition("/")[0], *_SUBSCRIPTIONS[kind])
        if "subscribe" in kind:
            self._server.answers.append((kind, to))
        if (other := self._server.accounts.get(to.partition("/")[0])) is not None:
            presence.set("from", session.account.jid if "subscribe" in kind else session.jid)
            other.say(text_of(presence))

    def _subscribe(self, session: Session, jid: str, side: str, has: bool) -> None:
        said = session.account.roster.get(jid, "none")
        sides = _BOTH if said == "both" else frozenset({said}) & _BOTH
        sides = sides | {side} if has else sides - {side}
        self._know(session, jid, "both" if sides == _BOTH else next(iter(sides), "none"))

    def _know(self, session: Session, jid: str, how: str) -> None:
        account = session.account
        if how == "remove":
            account.roster.pop(jid, None)
        elif account.roster.get(jid) == how:
            return
        else:
            account.roster[jid] = how
        query = element("query", element("item", jid=jid, subscription=how), xmlns=NS.ROSTER)
        account.tell(element("iq", query, type="set", id=f"push-{jid}", to=session.jid))


def _form(name: str, fields: Mapping[str, str]) -> str:
    said = {"FORM_TYPE": name, **fields}
    return element(
        "x",
        "".join(element("field", element("value", value), var=key) for key, value in said.items()),
        xmlns=NS.DATA,
        type="result",
    )
