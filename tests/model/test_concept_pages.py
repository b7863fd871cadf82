"""The code on the concept pages of the model runs."""

import re

import pytest

from docs.json_form import PAGE


@pytest.mark.parametrize("name", ["addresses", "messages", "events", "json-form"])
def test_the_examples_run(name: str) -> None:
    text = (PAGE.parent / f"{name}.md").read_text(encoding="utf-8")
    found = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    for code in found:
        exec(compile(code, name, "exec"), {"__name__": f"docs.{name}"})
