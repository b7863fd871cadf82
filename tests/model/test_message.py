"""Messages and attachments: what a medium could choke on is refused, and an error never shows what was said."""

import json
from datetime import UTC, datetime
from pathlib import Path
from timeit import repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from convergekit.errors import InvalidInputError
from convergekit.model import Address, Attachment, ClaimCheck, Importance, Message, Part, from_json, to_json

from .strategies import texts

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class TestText:
    @given(texts)
    def test_any_text_is_kept_as_it_is(self, text: str) -> None:
        assert Message(text).text == text
        assert Message(text) == Message(text=text)  # type: ignore[call-arg]

    @pytest.mark.parametrize("field", ["text", "markdown", "html"])
    @pytest.mark.parametrize("hostile", ["secret\x00", "\x00secret", "secret \ud800", "\udfffsecret"], ids=ascii)
    def test_what_no_store_can_hold_is_refused(self, field: str, hostile: str) -> None:
        with pytest.raises(ValidationError, match=field) as caught:
            Message(**{field: hostile})
        assert "secret" not in str(caught.value)

    def test_ten_megabytes_are_text_too(self) -> None:
        text = "ä" * 5_000_000
        message = Message(text)
        assert message.text is text
        assert from_json(Message, to_json(message)) == message

    def test_ten_megabytes_with_a_nul_at_the_end_are_not(self) -> None:
        with pytest.raises(ValidationError) as caught:
            Message("x" * 10_000_000 + "\x00")
        assert len(str(caught.value)) < 1000

    def test_text_of_another_type_is_not_guessed_at(self) -> None:
        for value in (5, ["text"], {"text": "x"}):
            with pytest.raises(ValidationError):
                Message(value)  # type: ignore[arg-type]


#: What would end a line, or is no text.
BREAKS = ["a\r\nBcc: x@example.org", "a\nb", "a\rb", "a\x00", "\x0b", "\x85", "\ud800"]


class TestHeaders:
    @pytest.mark.parametrize("hostile", BREAKS, ids=ascii)
    def test_nothing_breaks_out_of_a_line(self, hostile: str) -> None:
        for fields in (
            {"subject": hostile},
            {"headers": {"X-A": hostile}},
            {"headers": {hostile: "x"}},
            {"language": hostile},
        ):
            with pytest.raises(ValidationError):
                Message("x", **fields)  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", ["", "a b", "a:b", "ä", "a\n", "(", "x" * 257])
    def test_a_header_name_is_a_token(self, name: str) -> None:
        with pytest.raises(ValidationError):
            Message("x", headers={name: "1"})

    def test_subjects_in_any_script_are_fine(self) -> None:
        assert Message("x", subject="Grüße 👋 日本").subject == "Grüße 👋 日本"

    def test_an_error_never_shows_the_content(self) -> None:
        with pytest.raises(ValidationError) as caught:
            Message.model_validate(
                {"text": "\x00secret", "subject": "secret\n", "headers": {"X": "secret\r"}, "native": "secret", "cc": 5}
            )
        assert "secret" not in str(caught.value)


class TestMessage:
    def test_the_obvious_arguments(self) -> None:
        message = Message("hi", cc=["mailto:ann@example.org"], importance="urgent", not_before=NOW)
        assert message.cc == (Address("mailto:ann@example.org"),)
        assert message.importance is Importance.URGENT

    def test_a_time_without_a_zone_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="timezone"):
            Message("x", expires_at=datetime(2026, 1, 1))  # noqa: DTZ001

    def test_two_messages_never_share_their_dictionaries(self) -> None:
        assert Message("a").headers is not Message("b").headers
        assert Message("a").native is not Message("b").native

    @pytest.mark.parametrize("fields", [{}, {"text": ""}, {"subject": "only"}])
    def test_nothing_to_say_is_empty(self, fields: Any) -> None:
        assert Message(**fields).is_empty

    @pytest.mark.parametrize(
        "fields", [{"text": " "}, {"html": "<p>"}, {"attachments": [Attachment(data=b"")]}, {"native": {"x": {}}}]
    )
    def test_something_is_not(self, fields: Any) -> None:
        assert not Message(**fields).is_empty

    def test_what_only_a_medium_knows_is_not_in_a_repr(self) -> None:
        assert "secret" not in repr(Message("x", native={"sms": "secret"}))

    def test_building_one_costs_at_most_twice_a_plain_model(self) -> None:
        """The bench has the figure; this only keeps an accident out."""
        fields = Message.model_fields
        body = {"__annotations__": dict.fromkeys(fields, str | None), "__module__": __name__, **dict.fromkeys(fields)}
        plain = type("Plain", (BaseModel,), {**body, "model_config": ConfigDict(frozen=True)})
        ours = min(repeat(lambda: Message("text"), number=2000, repeat=7))
        theirs = min(repeat(lambda: plain(text="text"), number=2000, repeat=7))
        assert ours < 4 * theirs


class TestAttachment:
    @pytest.mark.parametrize(
        ("fields", "media_type"),
        [
            ({"name": "invoice.pdf"}, "application/pdf"),
            ({"name": "Photo.JPG"}, "image/jpeg"),
            ({"path": Path("x") / "plan.png", "data": None}, "image/png"),
            ({"path": "plan.png", "name": "plan.txt", "data": None}, "text/plain"),
            ({"name": "invoice.pdf", "media_type": "text/plain"}, "text/plain"),
            ({"name": "backup.tar.gz"}, "application/octet-stream"),
            ({"name": "backup.tgz"}, "application/octet-stream"),
            ({"name": "data:text html,x"}, "application/octet-stream"),
            ({"name": "README"}, "application/octet-stream"),
            ({}, "application/octet-stream"),
        ],
    )
    def test_its_media_type_is_guessed_from_its_name(self, fields: dict[str, Any], media_type: str) -> None:
        assert Attachment(**{"data": b"x"} | fields).media_type == media_type

    def test_what_it_shows_is_said_beside_it_and_in_no_log(self) -> None:
        """It is content like the text of a message, and stays with it in JSON."""
        shown = Attachment(data=b"x", name="cat.png", description="A cat that is asleep\non a parcel.")
        assert from_json(Attachment, to_json(shown)) == shown
        assert "description" not in to_json(Attachment(data=b"x"))
        assert "asleep" not in repr(shown)
        with pytest.raises(ValueError, match="description"):
            Attachment(data=b"x", description="a\ud800")

    def test_a_media_type_that_was_said_is_not_guessed_when_it_is_read(self) -> None:
        """Though JSON leaves out what is the default."""
        message = Message(attachments=[Attachment(data=b"x", name="a.pdf", media_type="application/octet-stream")])
        assert from_json(Message, to_json(message)) == message
        assert from_json(Attachment, to_json(message.attachments[0])) == message.attachments[0]

    def test_there_is_exactly_one_place(self) -> None:
        claim = ClaimCheck(ref="sha256:00", size=1)
        for fields in ({}, {"data": b"", "url": "https://example.org"}, {"claim": claim, "path": Path("a")}):
            with pytest.raises(ValidationError, match="exactly one of"):
                Attachment(**fields)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "name", ["", " ", ".", "..", "a/b", "/etc/passwd", "..\\a", "a\nb", "a\x00.txt", "\ud800"], ids=ascii
    )
    def test_a_name_is_a_name_and_no_path(self, name: str) -> None:
        with pytest.raises(ValidationError):
            Attachment(data=b"", name=name)

    @pytest.mark.parametrize("name", ["a.txt", ".hidden", "Übersicht 2026.pdf", "請求書.pdf", "a..b", "..."])
    def test_names_as_people_give_them(self, name: str) -> None:
        assert Attachment(data=b"", name=name).name == name

    @pytest.mark.parametrize(
        "media_type", ["text", "text/", "/plain", "text/plain; charset=utf-8", "text/pl\nain", "ä/b", ""]
    )
    def test_a_media_type_is_type_and_subtype(self, media_type: str) -> None:
        with pytest.raises(ValidationError):
            Attachment(data=b"", media_type=media_type)

    @given(st.binary(max_size=200))
    def test_the_size_of_data_is_known(self, data: bytes) -> None:
        attachment = Attachment(data=data, size=10**9)
        assert attachment.size == len(data)
        assert from_json(Attachment, to_json(attachment)) == attachment
        in_json = json.loads(to_json(attachment))["data"]
        assert Attachment.model_validate({"data": in_json}) == attachment

    def test_a_size_is_not_negative(self) -> None:
        with pytest.raises(ValidationError):
            Attachment(url="https://example.org", size=-1)

    def test_bytes_are_not_in_a_repr(self) -> None:
        assert "secret" not in repr(Message("x", attachments=[Attachment(data=b"secret")]))

    @pytest.mark.parametrize("data", ["*", "a", "ä", "====", "AA=A"])
    def test_what_is_not_base64_is_refused(self, data: str) -> None:
        with pytest.raises(InvalidInputError, match="not a Attachment: Attachment"):
            from_json(Attachment, json.dumps({"data": data}))

    def test_a_path_that_has_no_utf_8_has_no_json_form(self) -> None:
        with pytest.raises(InvalidInputError):
            to_json(Attachment(path=Path("a\udcff")))


def test_a_part_is_as_strict_as_its_message() -> None:
    for fields in ({"text": "\x00"}, {"subject": "a\nb"}, {"html": "\ud800"}):
        with pytest.raises(ValidationError):
            Part(**fields)
