"""The page about signatures says what the schemes do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from convergekit.abc import Headers, Request
from convergekit.adapters.webhook.signature import Scheme
from convergekit.http import signatures
from convergekit.http.signatures import SCHEMES

from .kit import CASES, NOW

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "concepts" / "webhook-signatures.md").read_text("utf-8")
ROWS = {
    cells[0].strip(" `"): [cell.strip() for cell in cells]
    for cells in (line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `"))
    if len(cells) == 7
}


def test_every_scheme_has_its_row() -> None:
    assert list(ROWS) == list(SCHEMES)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_row_names_the_value_the_header_and_the_window(name: str) -> None:
    case = next(case for case in CASES.values() if case.name == name)
    _, value, where, signed, window, id, signs = ROWS[name]

    assert getattr(signatures, value.strip("`")) is SCHEMES[name]
    assert ("nothing" in signed or "not the rest" in signed) != case.covers
    assert window.partition(",")[0] == (f"{case.tolerance:g}" if case.fresh else "none")
    headers = {each.lower() for each in re.findall(r"`([A-Za-z0-9-]{5,})`", where + id)}
    if signs == "yes" and name not in ("hmac", "header", "basic", "secret-path"):
        made = set(case.scheme(1).sign("msg_1", NOW, case.body, url="https://example.org/", headers=case.headers))
        assert headers - made <= {"content-digest", "webhook-id"}
        assert headers


def test_every_option_is_told() -> None:
    table = PAGE.partition("### Options")[2].partition("### Challenges")[0]

    assert all(f"`{option}`" in table for option in set(Scheme.model_fields) - {"name"})


def test_the_key_pair_that_it_makes_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    made = PAGE.partition("### Key pairs")[2].partition("```python\n")[2].partition("```")[0]
    exec(compile(made, "webhook-signatures.md", "exec"), {})
    private, public = capsys.readouterr().out.split()

    headers = signatures.StandardWebhooks(private).sign("msg_1", NOW, b"{}")
    request = Request("POST", headers=Headers(headers), body=b"{}")
    assert signatures.StandardWebhooks(public).verify(request, NOW).id == "msg_1"
