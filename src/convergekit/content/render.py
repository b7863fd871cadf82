"""From content and capabilities to finished parts, and a report of what had to give way. Pure.

Rules kept here:

- `text`, `markdown` and `html` are forms of one content: a channel gets the one that it can show best, and the form
  that the author wrote is never derived anew.
- No visible character is lost. What cannot be said at all raises, whatever the policy.
- A part stands alone: marks and boxes that a cut goes through are closed before it and opened again behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from convergekit.errors import UnsupportedContentError
from convergekit.model import Capabilities, Content, Degradation, Part

from . import attachments as files
from ._body import Measure, Ruler, Said, alternative, body

__all__ = ["Measure", "Policy", "Rendering", "render"]

Policy = Literal["allow", "warn", "refuse"]

_NO_TEXT: Final = Said("")


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a channel is handed, and what it could not carry as it was written.

    Args:
        parts: At least one, in the order in which they are to be sent.
        degradations: Empty where nothing had to give way, or where nobody wants to know ("allow").
    """

    parts: tuple[Part, ...]
    degradations: tuple[Degradation, ...] = ()


def render(
    message: Content, capabilities: Capabilities, *, policy: Policy = "warn", measure: Measure | None = None
) -> Rendering:
    """Make the parts that say *message* on a channel with *capabilities*.

    Text is split by its rendered length, and attachments beyond a part's limits go in parts of their own, behind the
    text. White space at a cut is dropped, and nothing else.

    Args:
        message: What is to be said.
        capabilities: What the channel can carry.
        policy: "allow" degrades without a word, "warn" reports it, "refuse" raises when something would be lost.
        measure: How long rendered text is on this channel, where that is none of `TextLimit.unit`; it must not find a
            piece longer than the whole.

    Raises:
        UnsupportedContentError: There is nothing to say, or no way to say it here: an attachment that is not taken
            and has no URL, text that is too long or takes too many parts, or, with "refuse", any loss.
    """
    job = _Job(message, _without_loss(capabilities) if policy == "refuse" else capabilities, measure)
    parts = tuple(job.parts())
    if policy == "refuse" and (lost := [each for each in job.report if each.severity == "lossy"]):
        what = "; ".join(f"{each.what} ({each.detail})" for each in lost)
        raise UnsupportedContentError(f"something would be lost: {what}; with degrade = 'warn' it is sent all the same")
    return Rendering(parts, () if policy == "allow" else tuple(job.report))


def _without_loss(capabilities: Capabilities) -> Capabilities:
    """What may be lost for a lower price need not be where nobody wants to lose anything."""
    text = capabilities.text
    if text is None or text.transliterate != "full":
        return capabilities
    return capabilities.model_copy(update={"text": text.model_copy(update={"transliterate": "punctuation"})})


class _Job:
    def __init__(self, message: Content, capabilities: Capabilities, measure: Measure | None) -> None:
        self._message, self._capabilities = message, capabilities
        self._files = files.sort(message.attachments, capabilities.attachments)
        self._heading = message.subject if message.subject and not capabilities.subject else None
        self._ruler = Ruler(capabilities.text, measure)
        self.report: list[Degradation] = []

    def parts(self) -> list[Part]:
        """All of them; fills the report."""
        self._note_references()
        text = body(self._message, self._capabilities.markup, self._heading, self._files.links, self._ruler)
        self.report += text.degradations
        html = self._html(len(text.parts))
        if not (text.parts or html or self._files.groups or self._is_said_otherwise()):
            raise UnsupportedContentError("there is nothing to say: no text to be seen, no attachment")
        parts = self._joined(text.parts or (_NO_TEXT,), html)
        most = self._capabilities.text.max_parts if self._capabilities.text else None
        if most is not None and len(parts) > most:
            raise UnsupportedContentError(f"it takes {len(parts)} parts, and the channel's max_parts is {most}")
        return parts

    def _is_said_otherwise(self) -> bool:
        return bool((self._message.subject and self._capabilities.subject) or getattr(self._message, "native", None))

    def _note_references(self) -> None:
        message, can = self._message, self._capabilities
        if self._heading:
            self._note("subject", "put before the text", "lossless")
        if (message.cc or getattr(message, "to", ())) and not can.cc:
            self._note("cc", "further recipients are not shown", "lossy")
        if message.thread and not can.threads:
            self._note("thread", "not sent as part of its thread", "lossy")
        if message.reply_to and not can.replies:
            self._note("reply_to", "not marked as an answer", "lossy")
        if links := self._files.links:
            self._note("attachment", f"{len(links)} sent as a link: {'; '.join(self._files.reasons)}", "lossless")
        if (count := len(self._files.groups)) > 1:
            self._note("attachment", f"spread over {count} parts", "lossless")

    def _note(self, what: str, detail: str, severity: Literal["lossless", "lossy"]) -> None:
        self.report.append(Degradation(what=what, detail=detail, severity=severity))

    def _html(self, count: int) -> str | None:
        """The form beside the text, where the channel takes one and the author wrote one."""
        markup = self._capabilities.markup
        if not markup.html_alternative or markup.format == "html":
            return None
        html = alternative(self._message, self._heading, self._files.links)
        if html is not None and count > 1:
            self._note("markup", f"the HTML form is left out, since the text is sent in {count} parts", "lossy")
            return None
        return html

    def _joined(self, texts: Sequence[Said], html: str | None) -> list[Part]:
        """Attachments go with the last piece of text, and what it cannot take behind it."""
        subject = self._message.subject if self._capabilities.subject else None
        if len(texts) == 1 and len(self._files.groups) < 2:
            attachments = self._files.groups[0] if self._files.groups else ()
            text, _, unstyled = texts[0]
            return [Part(text=text, html=html, subject=subject, attachments=attachments, unstyled=unstyled)]
        groups = self._files.groups or ((),)
        pairs = [
            *((text, ()) for text in texts[:-1]),
            (texts[-1], groups[0]),
            *((_NO_TEXT, group) for group in groups[1:]),
        ]
        return [
            Part(
                text=text.text,
                html=None if number else html,
                subject=subject,
                attachments=group,
                unstyled=text.unstyled,
            )
            for number, (text, group) in enumerate(pairs)
        ]
