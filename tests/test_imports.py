"""Imports point one way, and importing convergekit costs next to nothing."""

import ast
import graphlib
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TypeVar

import convergekit

SOURCE = Path(convergekit.__file__).parent
#: Migrations are scripts, which Alembic runs.
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)

#: From the one who knows nobody to those whom nobody needs; a package may import from its own row and the rows above.
LAYERS = [
    {"_version"},
    {"errors", "model"},
    {"content", "http"},
    {"abc"},
    {"router", "stores"},
    {"engine"},
    {"config", "asgi", "_channel", "_handles", "_recipients", "_sending", "_dead_letters", "_redelivery", "hub"},
    {"sync", "testing", "cli", "__main__"},
]

#: What an adapter may import, ours like everybody's; `convergekit` itself stands for its top-level names.
OPEN_TO_ADAPTERS = {"convergekit", "errors", "model", "content", "http", "abc"}

#: What the module that plays the far side may import beside that. No other module imports it: it is for tests.
OPEN_TO_SUBJECTS = OPEN_TO_ADAPTERS | {"testing"}

#: Imports that the rules above forbid and that are right all the same: (importing module, imported package) to why.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("convergekit.testing.recording", "adapters"): "what stands in for every channel of a host is the loopback adapter",
}


class Import(NamedTuple):
    """One imported module or name: who, what (a dotted path inside convergekit), and where it stands."""

    importer: str
    target: str
    line: int

    @property
    def package(self) -> str:
        """The package below `convergekit` that is imported from, or `convergekit` for its top-level names."""
        parts = self.target.split(".")
        return parts[1] if len(parts) > 1 and exists(parts[1]) else "convergekit"

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def exists(part: str) -> bool:
    return (SOURCE / part).is_dir() or (SOURCE / f"{part}.py").is_file()


def dotted(path: Path) -> str:
    return ".".join(("convergekit", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


def package_of(path: Path) -> str:
    """Name the package, or the module, directly below `convergekit` that *path* belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imports(path: Path) -> Sequence[Import]:
    """Tell what *path* imports of convergekit: anywhere in it, and for type checkers only as well."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[Import]:
    here = dotted(path)
    package = here if path.name == "__init__.py" else here.rpartition(".")[0]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join((*parents, *([node.module] if node.module else [])))
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (Import(here, name, node.lineno) for name in names if name.split(".")[0] == "convergekit")


def layer(package: str) -> int:
    return next(row for row, names in enumerate(LAYERS) if package in names)


INSIDE = [path for path in MODULES if package_of(path) not in {"__init__", "adapters"}]
ADAPTERS = [path for path in MODULES if package_of(path) == "adapters"]


def allowed(found: Import) -> bool:
    return (found.importer, found.package) in EXCEPTIONS


def test_imports_point_one_way() -> None:
    """`DESIGN.md`, Layout. Top-level names are for users: inside, a name comes from the module that makes it."""
    wrong = [str(found) for path in INSIDE for found in imports(path) if not allowed(found) and points_up(found, path)]
    assert wrong == []


def points_up(found: Import, path: Path) -> bool:
    rank = layer(package_of(path))
    if found.package == "convergekit":
        return rank < len(LAYERS) - 1
    return found.package == "adapters" or layer(found.package) > rank


def test_packages_do_not_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in INSIDE:
        needed = {found.package for found in imports(path) if not allowed(found)}
        graph.setdefault(package_of(path), set()).update(needed - {package_of(path), "convergekit"})
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_adapters_use_public_names_only() -> None:
    """Ours have no private door: what they import, a stranger's plugin may import as well."""
    assert [str(found) for path in ADAPTERS for found in imports(path) if uses_a_private_door(found, path)] == []


def uses_a_private_door(found: Import, path: Path) -> bool:
    parts = dotted(path).split(".")
    own = ".".join(parts[:3])
    is_open = OPEN_TO_SUBJECTS if "subject" in parts else OPEN_TO_ADAPTERS
    is_private = any(part.startswith("_") for part in found.target.split("."))
    return not (found.target + ".").startswith(own + ".") and (found.package not in is_open or is_private)


def test_what_plays_the_far_side_is_for_tests_alone() -> None:
    def plays(module: str) -> bool:
        return re.match(r"convergekit\.adapters\.\w+\.subject\b", module) is not None

    inside = [path for path in MODULES if not plays(dotted(path))]
    assert [str(found) for path in inside for found in imports(path) if plays(found.target)] == []


def test_exceptions_are_still_needed() -> None:
    met = {(found.importer, found.package) for path in INSIDE for found in imports(path)}
    assert set(EXCEPTIONS) <= met


def exported_for_type_checkers() -> set[str]:
    """Read the names that the type checkers see at the top: what stands under `if TYPE_CHECKING:`."""
    tree = parsed(SOURCE / "__init__.py")
    blocks = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test).endswith("TYPE_CHECKING")]
    found = [n for block in blocks for n in block.body if isinstance(n, ast.ImportFrom)]
    return {alias.asname or alias.name for node in found for alias in node.names}


def test_top_level_names_are_the_same_for_readers_and_type_checkers() -> None:
    names = [name for name in convergekit.__all__ if not name.startswith("__")]
    assert len(set(names)) == len(names)
    assert set(names) == exported_for_type_checkers()
    assert set(names) <= set(dir(convergekit))


def test_every_top_level_name_is_there() -> None:
    assert [name for name in convergekit.__all__ if getattr(convergekit, name) is None] == []


def test_a_module_keeps_the_promises_it_lists() -> None:
    public = [path for path in MODULES if not path.stem.startswith("_") or path.stem == "__init__"]
    modules = [importlib.import_module(dotted(path)) for path in public]
    missing = [(each.__name__, name) for each in modules for name in listed(each) if not hasattr(each, name)]
    assert missing == []


def listed(module: ModuleType) -> Sequence[str]:
    return getattr(module, "__all__", ())


def test_a_public_name_is_listed() -> None:
    """What a module defines and does not list would be a promise that nobody made; it gets a `_`, or its place."""
    public = [path for path in MODULES if not path.stem.startswith("_")]
    assert [f"{dotted(path)}: {name}" for path in public for name in unlisted(path)] == []


def unlisted(path: Path) -> list[str]:
    module = importlib.import_module(dotted(path))
    defined = {name for name in defines(parsed(path)) if not name.startswith("_")} - set(listed(module))
    return sorted(name for name in defined if not isinstance(getattr(module, name, None), TypeVar))


def defines(tree: ast.Module) -> Iterator[str]:
    """Yield the names that stand at the top of a module, but for those it imports."""
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name


def test_private_names_stay_in_their_package() -> None:
    """`model._base` is the model's to change; whoever needs a name of it elsewhere makes it public first."""
    wrong = [
        str(found)
        for path in MODULES
        for found in imports(path)
        if found.package not in {package_of(path), "convergekit"}
        and any(part.startswith("_") and not part.startswith("__") for part in found.target.split(".")[2:])
    ]
    assert wrong == []


#: Modules that name an event loop, and why; all else goes through anyio.
LOOPS = {
    "convergekit.adapters.email.smtp.connection": "aiosmtplib connects and logs in",
    "convergekit.adapters.email.smtp.pool": "... and knows that loop only",
    "convergekit.adapters.email.smtp.transaction": "... whose transport the transaction takes over",
    "convergekit.adapters.xmpp.transport._waiting": "what comes by slixmpp's loop is waited for there",
    "convergekit.adapters.xmpp.transport._wire": "slixmpp is a protocol of that loop",
    "convergekit.adapters.xmpp.transport.stream": "... which is waited for and called later",
    "convergekit.testing._pytest_asyncio": "the hub of pytest-asyncio's tests lives in a task of that loop",
    "convergekit.testing.adapter._virtual": "a loop whose time is skipped is made there",
}


def test_event_loops_are_named_where_it_is_said_why() -> None:
    """The library runs on both because it knows neither."""
    met = {dotted(path) for path in MODULES if top_names(parsed(path)) & {"asyncio", "trio"}}
    assert met == set(LOOPS)


def top_names(tree: ast.Module) -> set[str]:
    """Name the packages that a module imports anywhere."""
    found = set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                found |= {alias.name.partition(".")[0] for alias in node.names}
            case ast.ImportFrom(level=0, module=str(module)):
                found.add(module.partition(".")[0])
    return found


def loaded_by(statement: str) -> set[str]:
    """Run *statement* in a new interpreter and tell what that loaded."""
    code = f"import sys; before = {{*sys.modules}}; {statement}; print(*({{*sys.modules}} - before))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(answer.stdout.split())


def test_importing_convergekit_loads_nothing_heavy() -> None:
    heavy = {"pydantic", "anyio", "httpx", "sqlalchemy", "ssl"}
    assert loaded_by("import convergekit") & heavy == set()


def test_importing_the_hub_loads_no_client_library() -> None:
    heavy = {
        *("httpx", "httpx2", "aiohttp", "requests", "aiosmtplib", "slixmpp", "tweepy"),
        *("sqlalchemy", "pydantic_settings", "starlette", "hypercorn"),
    }
    assert loaded_by("from convergekit import Hub, Message") & heavy == set()
