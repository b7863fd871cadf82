"""The class and its settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel, SecretBytes, SecretStr

from convergekit.config.flaws import class_flaw, models_of, settings_flaw

from .._bench import Bench
from .._checkup import secrets_of
from .._subject import Cannot
from ._registry import broken, check, expect, listed

__all__ = ["shows"]

#: Names that say that their value is secret, and not what is known of it (`token_url`).
_SECRET: Final = re.compile(r"(.*_)?(secrets?|passw(or)?d|passphrase|pwd|tokens?|api_?key|private_key|credentials?)")
#: A text that repeats so many characters of a secret gives it away: pydantic shortens what it shows in the middle.
_TELLING: Final = 12


@check("class-complete")
async def _class_complete(bench: Bench) -> None:
    flaw = class_flaw(bench.adapter_class)
    expect(flaw is None, f"{flaw}")


@check("config-frozen")
async def _config_frozen(bench: Bench) -> None:
    flaw = settings_flaw(bench.adapter_class.Config)
    expect(flaw is None, f"{flaw}")


@check("config-schema")
async def _config_schema(bench: Bench) -> None:
    try:
        schema = bench.adapter_class.Config.model_json_schema()
    except Exception as error:
        raise broken(f"there is no JSON schema of Config: {type(error).__name__}") from error
    models = [schema, *schema.get("$defs", {}).values()]
    fields = [(name, field) for model in models for name, field in model.get("properties", {}).items()]
    bare = [name for name, field in fields if not field.get("description")]
    expect(not bare, f"what these settings are is not said: {listed(bare)}; say Field(description=...)")


@check("secrets-masked", where=["type", "repr", "errors"])
async def _secrets_masked(bench: Bench, where: str) -> None:
    if where == "type":
        plain = [path for path, annotation in _called_secret(bench.adapter_class.Config) if not _hides(annotation)]
        expect(not plain, f"these are secret by their names, and no SecretStr: {listed(plain)}")
        return
    secrets = {secret for secret in (*secrets_of(bench.config()), bench.subject.secret) if secret and len(secret) > 3}
    if not secrets:
        raise Cannot("there is no secret in its settings, or none that could be told from other text")
    texts = [repr(bench.config()), str(bench.config())] if where == "repr" else list(_refusals(bench, secrets))
    shown = [text for text in texts if any(shows(text, secret) for secret in secrets)]
    whose, advice = ("their text", "SecretStr") if where == "repr" else ("their errors", "hide_input_in_errors=True")
    expect(not shown, f"the settings show a secret, in {whose}: say {advice}")


def _called_secret(config: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    for path, model in models_of(config):
        for name, field in model.model_fields.items():
            if _SECRET.fullmatch(name):
                yield f"{path}.{name}", field.annotation


def _hides(annotation: Any) -> bool:
    """Whether what *annotation* allows hides its value, or is no text."""
    parts = list(_parts(annotation))
    return any(part in (SecretStr, SecretBytes) for part in parts) or not any(part in (str, bytes) for part in parts)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _parts(argument)


def _refusals(bench: Bench, secrets: set[str]) -> Iterator[str]:
    """What is said of settings that are wrong: one is missing, misspelt, or not of the type that it should be."""
    settings = dict(bench.subject.settings)
    for name, value in settings.items():
        others = {key: each for key, each in settings.items() if key != name}
        yield from _refusal(bench, others)
        yield from _refusal(bench, {**others, f"{name}_": value})
        yield from _refusal(bench, {**others, name: {"x": value}})
    for secret in secrets:
        yield from _refusal(bench, {**settings, "no_such_setting": secret})


def _refusal(bench: Bench, settings: Mapping[str, Any]) -> Iterator[str]:
    try:
        bench.config(settings)
    except Exception as error:
        yield str(error)


def shows(text: str, secret: str) -> bool:
    """Whether *text* has *secret*, or a stretch of it that gives it away."""
    width = min(len(secret), _TELLING)
    return any(secret[at : at + width] in text for at in range(len(secret) - width + 1))
