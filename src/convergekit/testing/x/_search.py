"""The part of X' query language that finds a thread, a person and words."""

from __future__ import annotations

from collections.abc import Callable

from ._answers import invalid
from ._model import Post
from ._people import Person
from ._text import mentions

__all__ = ["matches"]


def matches(post: Post, query: str, person: Callable[[str], Person | None]) -> bool:
    """Whether *post* is what *query* looks for.

    Raises:
        Problem: 400: it is empty, or in a part of the language that is not played.
    """
    terms = query.split()
    if not terms or any(each in {"OR", "AND"} or each.startswith("(") for each in terms):
        raise invalid("the query is empty, or has a form that is not played here", query=query)
    return all(_is(post, term, person) for term in terms)


def _is(post: Post, term: str, person: Callable[[str], Person | None]) -> bool:
    if term.startswith("-"):
        return not _is(post, term[1:], person)
    name, colon, value = term.partition(":")
    if not colon:
        handle = term.removeprefix("@").lower()
        return handle in mentions(post.text) if term.startswith("@") else handle in post.text.lower()
    match name:
        case "conversation_id":
            return post.conversation_id == value
        case "in_reply_to_tweet_id" | "in_reply_to_status_id":
            return post.reply_to is not None and post.reply_to.id == value
        case "from":
            return value.lower() in (post.author.username.lower(), post.author.id)
        case "to":
            found = person(value)
            return post.reply_to is not None and post.reply_to.author is found
        case "is":
            return {"reply": post.reply_to is not None, "quote": post.quotes is not None}.get(value, False)
        case "has":
            return {"media": bool(post.media), "mentions": bool(mentions(post.text))}.get(value, False)
        case _:
            raise invalid(f"Reference to invalid operator '{name}'", query=term)
