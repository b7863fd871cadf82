"""What people at X do: they post, mention, answer, write; and the account that is tried, with its keys."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ._model import Direct, Group, Medium, Post

if TYPE_CHECKING:
    from ._server import XServer

__all__ = ["Account", "Person"]


class Person:
    """Somebody at X. What they do, X knows at once, and tells whoever has subscribed to it.

    Args:
        server: Where they are.
        id: Their id.
        username: Their handle, without the @.
        name: What they call themselves.

    Attributes:
        accepts_directs: Whether they may be written to.
        is_protected: Whether only followers see their posts: X tells nobody of them.
        is_automated: Whether X says that a machine writes here.
        is_verified: Whether they have the badge.
    """

    def __init__(self, server: XServer, id: str, username: str, name: str) -> None:
        self._server = server
        self.id, self.username, self.name = id, username, name
        self.at = server.now()
        self.accepts_directs = True
        self.is_protected = self.is_automated = self.is_verified = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(@{self.username}, id={self.id!r})"

    def rename(self, username: str) -> None:
        """Take another handle; the one they had is free for others."""
        self._server.rename(self, username)

    def post(
        self, text: str, *, reply_to: Post | None = None, quotes: Post | None = None, media: Sequence[Medium] = ()
    ) -> Post:
        """Post *text* as it is."""
        return self._server.add_post(self, text, reply_to=reply_to, quotes=quotes, media=tuple(media))

    def mention(self, text: str, *, of: Person | None = None) -> Post:
        """Post *text*, with the account, or *of*, before it."""
        return self.post(f"@{(of or self._server.only_account).username} {text}")

    def reply(self, to: Post, text: str, *, naming: bool = True) -> Post:
        """Answer *to*, whose author stands before *text* as long as they are named; people may take the name away."""
        return self.post(f"@{to.author.username} {text}" if naming else text, reply_to=to)

    def quote(self, quoted: Post, text: str) -> Post:
        """Post *text* above *quoted*."""
        return self.post(text, quotes=quoted)

    def edit(self, post: Post, text: str) -> Post:
        """Say *text* instead: another post takes the place of *post*."""
        return self._server.edit_post(post, text)

    def delete(self, post: Post) -> None:
        """Take *post* back."""
        self._server.delete_post(post)

    def direct(
        self,
        *texts: str,
        to: Person | Group | None = None,
        media: Sequence[Medium] = (),
        shares: Post | None = None,
    ) -> Direct:
        """Write to the account, to another, or into a group; several texts are several messages, told of in one go.

        Returns:
            The last one.
        """
        return self._server.add_directs(
            self, texts, to or self._server.only_account, media=tuple(media), shares=shares
        )[-1]

    def group(self, *others: Person, text: str = "Hello all") -> Group:
        """Begin a conversation with the account and *others*."""
        members = (self, self._server.only_account, *others)
        conversation = self._server.add_group(*dict.fromkeys(each.id for each in members))
        self._server.add_directs(self, (text,), conversation)
        return conversation

    def leave(self, conversation: Group) -> None:
        """Go out of a group."""
        self._server.leave(self, conversation)

    def upload(self, content: bytes, *, category: str = "tweet_image", media_type: str = "image/png") -> Medium:
        """A file of theirs, ready to be posted or sent."""
        return self._server.add_medium(self, content, category, media_type)

    def read(self, direct: Direct) -> None:
        """Have seen the messages up to *direct*."""
        self._server.read(self, direct)

    def typing(self, *, to: Person | None = None) -> None:
        """Be about to write to the account, or to another."""
        self._server.typing(self, to or self._server.only_account)

    def encrypted(self, *, to: Person | None = None) -> None:
        """Write in an encrypted conversation: only XChat can read it, and no list of messages shows it."""
        self._server.encrypted(self, to or self._server.only_account)


class Account(Person):
    """A person whose keys the app has: the account that is tried.

    Attributes:
        is_premium: Whether it may post long texts.
        token: Of OAuth 1.0a.
        token_secret: The secret with it.
    """

    def __init__(self, server: XServer, id: str, username: str, name: str) -> None:
        super().__init__(server, id, username, name)
        self.is_premium = False
        self.token, self.token_secret = f"{id}-oauth1-{username}", f"oauth1-secret-of-{username}"

    @property
    def access_token(self) -> str:
        """A token of OAuth 2.0 that holds now; each time it is asked for, another one."""
        return self._server.oauth.issue(self)

    @property
    def refresh_token(self) -> str:
        """The one that is good for the next pair of tokens."""
        return self._server.oauth.refresh_token(self)

    @property
    def oauth1(self) -> dict[str, str]:
        """Settings of a channel that signs by OAuth 1.0a."""
        app = self._server
        return {
            "consumer_key": app.consumer_key,
            "consumer_secret": app.consumer_secret,
            "access_token": self.token,
            "access_token_secret": self.token_secret,
        }

    @property
    def oauth2(self) -> dict[str, str]:
        """Settings of a channel that goes by OAuth 2.0."""
        app = self._server
        return {
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "refresh_token": self.refresh_token,
        }

    @property
    def basic(self) -> str:
        """What the app says of itself where it asks for tokens."""
        pair = f"{self._server.client_id}:{self._server.client_secret}"
        return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")

    def expire(self) -> None:
        """From now on none of its access tokens holds; refresh tokens do."""
        self._server.oauth.expire(self)

    def revoke(self) -> None:
        """Take the app's permission away: no token holds any more, and the app is told."""
        self._server.revoke(self)
