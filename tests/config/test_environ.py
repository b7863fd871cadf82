"""A variable finds the channel whose name it spells, whatever the name is made of."""

from hypothesis import given
from hypothesis import strategies as st

from convergekit.config._environ import overridden
from convergekit.config._problems import Problems

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,11}", fullmatch=True)


def spelt(name: str) -> str:
    return "".join(each.upper() if each.isalnum() else "_" for each in name)


@given(NAMES, st.sampled_from(["hold", "server", "on_uncertain"]), st.text(max_size=5))
def test_every_name_can_be_spelt(name: str, field: str, value: str) -> None:
    problems = Problems("file")
    variable = f"CONVERGEKIT_CHANNELS__{spelt(name)}__{field.upper()}"
    assert overridden({"channels": {name: {}}}, {variable: value}, problems) == {"channels": {name: {field: value}}}
    assert len(problems) == 0


@given(st.lists(NAMES, min_size=1, max_size=4, unique=True), st.data())
def test_one_channel_is_meant_or_nothing_is_changed(names: list[str], data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(names))
    problems = Problems("file")
    document = {"channels": {name: {} for name in names}}
    found = overridden(document, {f"CONVERGEKIT_CHANNELS__{spelt(wanted)}__HOLD": "1"}, problems)
    changed = [name for name in names if found["channels"][name]]
    assert (changed == [wanted]) if not len(problems) else (found == document)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
def test_other_variables_change_nothing(environ: dict[str, str]) -> None:
    document = {"channels": {"a": {"adapter": "x"}}, "store": {"url": "memory:"}}
    assert overridden(document, environ, Problems("file")) == document
