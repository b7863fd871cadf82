"""Content by reference: whole or not there, in a folder and in rows."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from anyio.to_thread import run_sync
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine, event, select, update

from convergekit.errors import StoreError
from convergekit.model import (
    Attachment,
    ClaimCheck,
    Message,
    MessageReceived,
    Part,
)
from convergekit.stores._refs import DAY, refs_of
from convergekit.stores.sql.blobs import Blobs, FolderBlobs, RowBlobs
from convergekit.stores.sql.blobs.rows import blob, blob_chunk
from convergekit.stores.sql.schema import metadata
from convergekit.stores.sql.uses import blob_use, forget_uses, record_uses
from convergekit.testing.store._looking import BlobContract

from ..kit import delivery, dispatch, stream

pytestmark = pytest.mark.anyio

T = TypeVar("T")
LARGE = os.urandom(700_000)
GONE = ClaimCheck(ref="sha256:" + "0" * 64, size=1)


class Ledger:
    """A database on its own, as a store lends it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def work(self, function: Callable[[Connection], T], /) -> T:
        return await run_sync(self.do, function)

    def do(self, function: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            return function(connection)


class Time:
    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ledger(tmp_path: Path) -> Generator[Ledger]:
    engine = create_engine(f"sqlite:///{tmp_path}/ledger.db", connect_args={"timeout": 30})
    event.listen(engine, "connect", _by_ourselves)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    metadata.create_all(engine, tables=[blob, blob_chunk, blob_use])
    yield Ledger(engine)
    engine.dispose()


def _by_ourselves(connection: Any, _record: object) -> None:
    connection.isolation_level = None


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def folder(tmp_path: Path, ledger: Ledger, time: Time) -> FolderBlobs:
    return FolderBlobs(tmp_path / "ledger.db.blobs", ledger.work, clock=time)


@pytest.fixture
def rows(ledger: Ledger, time: Time) -> RowBlobs:
    return RowBlobs(ledger.work, ledger.work, clock=time)


@pytest.fixture(params=["folder", "rows"])
def store(request: pytest.FixtureRequest) -> Blobs:
    found: Blobs = request.getfixturevalue(request.param)
    return found


async def read(store: Blobs, claim: ClaimCheck) -> bytes:
    async with store.open(claim) as chunks:
        return b"".join([chunk async for chunk in chunks])


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "ledger.db.blobs").rglob("*") if path.is_file()]


async def keep_and_sweep(store: Blobs, time: Time, rounds: int) -> None:
    """In each round everything is old when it is kept again, by several, while it is swept."""
    contents = [bytes([number]) * 1000 for number in range(8)]
    for _ in range(rounds):
        time.now += DAY + 1
        kept: list[ClaimCheck] = []

        async def keep(content: bytes, kept: list[ClaimCheck] = kept) -> None:
            kept.append(await store.keep(stream(content)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.sweep)
            for content in contents:
                tasks.start_soon(keep, content)
        assert sorted([await read(store, claim) for claim in kept]) == contents


class TestBlobContract(BlobContract):
    """What every store promises of content."""


@pytest.mark.parametrize("kind", ["folder", "rows"])
@given(st.lists(st.integers(0, 300_000), max_size=6), st.integers(0, 255))
def test_content_comes_back_however_it_was_cut(
    tmp_path_factory: pytest.TempPathFactory, kind: str, sizes: list[int], seed: int
) -> None:
    """Under one name, whatever the chunks were, and in chunks of at most 64 KiB."""
    here = tmp_path_factory.mktemp("blobs")
    engine = create_engine(f"sqlite:///{here}/ledger.db")
    metadata.create_all(engine, tables=[blob, blob_chunk, blob_use])
    ledger = Ledger(engine)
    store: Blobs = FolderBlobs(here, ledger.work) if kind == "folder" else RowBlobs(ledger.work, ledger.work)
    chunks = [bytes([(seed + number) % 256]) * size for number, size in enumerate(sizes)]
    content = b"".join(chunks)

    async def check() -> None:
        claim = await store.keep(stream(*chunks))
        assert claim == ClaimCheck(ref="sha256:" + hashlib.sha256(content).hexdigest(), size=len(content))
        assert await store.keep(stream(content)) == claim
        async with store.open(claim) as found:
            back = [chunk async for chunk in found]
        assert b"".join(back) == content
        assert all(0 < len(chunk) <= 65_536 for chunk in back)

    anyio.run(check)
    engine.dispose()


@pytest.mark.parametrize(
    "ref",
    [
        "sha256:../../../../etc/passwd",
        "sha256:" + "/" * 64,
        "sha256:" + "A" * 64,
        "sha256:" + "0" * 63,
        "sha256:" + "0" * 64 + "/..",
        "sha1:" + "0" * 40,
        "md5:" + "0" * 64,
        "0" * 64,
        "",
        "x" * 8000,
    ],
)
async def test_a_ref_that_is_none_of_ours_opens_nothing(store: Blobs, ref: str) -> None:
    """It never becomes a path, nor a key."""
    with pytest.raises(StoreError, match="not in this store"):
        await read(store, ClaimCheck(ref=ref, size=1))


async def test_what_is_gone_is_named(store: Blobs) -> None:
    with pytest.raises(StoreError, match=GONE.ref):
        await read(store, GONE)


async def test_a_claim_of_another_size_is_refused(store: Blobs) -> None:
    """The size that somebody reckoned with is the one that comes."""
    claim = await store.keep(stream(b"abc"))
    with pytest.raises(StoreError, match="damaged"):
        await read(store, claim.model_copy(update={"size": 4}))


async def test_a_source_that_breaks_leaves_nothing(tmp_path: Path, ledger: Ledger, store: Blobs) -> None:
    """Neither in the folder nor in the database; and its own error comes out."""

    async def broken() -> AsyncIterator[bytes]:
        yield LARGE
        raise OSError("the cable was cut")

    with pytest.raises(OSError, match="the cable was cut"):
        await store.keep(broken())

    assert files(tmp_path) == []
    assert ledger.do(lambda connection: connection.execute(select(blob_chunk.c.ref)).all()) == []


async def test_a_keeper_who_is_cancelled_leaves_nothing(tmp_path: Path, ledger: Ledger, store: Blobs) -> None:
    with anyio.CancelScope() as scope:

        async def endless() -> AsyncIterator[bytes]:
            yield LARGE
            scope.cancel()
            await anyio.sleep_forever()

        await store.keep(endless())

    assert scope.cancelled_caught
    assert files(tmp_path) == []
    assert ledger.do(lambda connection: connection.execute(select(blob_chunk.c.ref)).all()) == []


async def test_several_keep_the_same_at_once(store: Blobs) -> None:
    claims: list[ClaimCheck] = []

    async def keep() -> None:
        claims.append(await store.keep(stream(LARGE)))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(keep)

    assert len(set(claims)) == 1
    assert await read(store, claims[0]) == LARGE


# Sweeping


async def test_a_sweep_takes_what_nobody_names_after_a_day(store: Blobs, ledger: Ledger, time: Time) -> None:
    """Not before: whoever has kept it is about to store the row that names it."""
    unused, used = await store.keep(stream(LARGE)), await store.keep(stream(b"used"))
    await ledger.work(lambda connection: record_uses(connection, [(used.ref, "entry/1"), (used.ref, "entry/1")]))

    assert await store.sweep() == 0
    time.now += DAY + 1
    assert await store.sweep() == 1
    assert await store.sweep() == 0

    assert await read(store, used) == b"used"
    with pytest.raises(StoreError, match=unused.ref):
        await read(store, unused)


async def test_what_is_no_longer_named_is_swept(store: Blobs, ledger: Ledger, time: Time) -> None:
    """Only when nobody is left who names it."""
    claim = await store.keep(stream(b"shared"))
    await ledger.work(lambda connection: record_uses(connection, [(claim.ref, "entry/1"), (claim.ref, "dispatch/a")]))
    time.now += DAY + 1

    await ledger.work(lambda connection: forget_uses(connection, ["entry/1"]))
    assert await store.sweep() == 0
    await ledger.work(lambda connection: forget_uses(connection, ["dispatch/a", "dispatch/unknown"]))
    assert await store.sweep() == 1


async def test_what_is_kept_again_is_as_new(store: Blobs, time: Time) -> None:
    """Or a sweep would take it before the row of the second is there."""
    claim = await store.keep(stream(b"again"))
    time.now += DAY + 1
    await store.keep(stream(b"again"))

    assert await store.sweep() == 0
    assert await read(store, claim) == b"again"


async def test_what_was_swept_can_be_kept_again(store: Blobs, time: Time) -> None:
    claim = await store.keep(stream(LARGE))
    time.now += DAY + 1
    assert await store.sweep() == 1

    assert await store.keep(stream(LARGE)) == claim
    assert await read(store, claim) == LARGE


async def test_a_sweep_of_nothing(store: Blobs) -> None:
    assert await store.sweep() == 0


async def test_many_are_swept(rows: RowBlobs, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """In more than one transaction, so that none is long."""
    monkeypatch.setattr("convergekit.stores.sql.blobs.rows._BATCH", 5)
    for number in range(12):
        await rows.keep(stream(b"%d" % number))
    time.now += DAY + 1
    assert await rows.sweep() == 12


# The folder


async def test_files_are_for_their_owner_alone(tmp_path: Path, folder: FolderBlobs) -> None:
    claim = await folder.keep(stream(b"private"))
    name = claim.ref.removeprefix("sha256:")
    path = tmp_path / "ledger.db.blobs" / name[:2] / name[2:4] / name

    assert path.stat().st_mode & 0o777 == 0o600
    inside = tmp_path / "ledger.db.blobs"
    assert {each.stat().st_mode & 0o777 for each in [inside, *inside.rglob("*")] if each.is_dir()} == {0o700}


async def test_what_is_there_is_not_written_again(tmp_path: Path, folder: FolderBlobs) -> None:
    await folder.keep(stream(LARGE))
    (before,) = files(tmp_path)
    number = before.stat().st_ino
    await folder.keep(stream(LARGE))

    assert [path.stat().st_ino for path in files(tmp_path)] == [number]


async def test_everything_is_on_the_disk_before_it_is_promised(
    folder: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes first, then the name; then each folder on the way there, which are new as well."""
    steps: list[str] = []
    real, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        steps.append("folder" if os.fstat(handle).st_mode & 0o040000 else "file")
        real(handle)

    def renamed(*paths: Any) -> None:
        steps.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    await folder.keep(stream(b"x"))
    assert steps.count("file") == 1
    assert steps[-3:] == ["file", "rename", "folder"]
    assert steps[:-3].count("folder") >= 4  # the folder itself, `incoming`, and two levels

    steps.clear()
    await folder.keep(stream(b"x"))
    assert steps == ["folder"]


async def test_a_file_that_was_cut_short_is_reported_and_mended(tmp_path: Path, folder: FolderBlobs) -> None:
    claim = await folder.keep(stream(LARGE))
    (path,) = files(tmp_path)
    path.write_bytes(LARGE[:-1])

    with pytest.raises(StoreError, match=f"{claim.ref} is damaged"):
        await read(folder, claim)
    await folder.keep(stream(LARGE))
    assert await read(folder, claim) == LARGE


async def test_a_file_with_other_content_is_reported(tmp_path: Path, folder: FolderBlobs) -> None:
    """A disk that forgot what it had promised; whoever reads to the end is told."""
    claim = await folder.keep(stream(LARGE))
    (path,) = files(tmp_path)
    path.write_bytes(bytes(len(LARGE)))

    with pytest.raises(StoreError, match="damaged"):
        await read(folder, claim)


async def test_left_overs_go_after_a_day(tmp_path: Path, folder: FolderBlobs, time: Time) -> None:
    """What a killed process was writing; what strangers put there is not ours to remove."""
    await folder.keep(stream(b"x"))
    part, strange = (tmp_path / "ledger.db.blobs" / "incoming" / name for name in ("a.part", "README"))
    for path in (part, strange):
        path.write_bytes(b"half")
        os.utime(path, (time.now, time.now))

    await folder.sweep()
    assert part.exists()
    time.now += DAY + 1
    await folder.sweep()
    assert not part.exists()
    assert strange.exists()


async def test_a_sweep_that_was_killed_half_way_lost_nothing(
    tmp_path: Path, folder: FolderBlobs, ledger: Ledger, time: Time
) -> None:
    """It had moved what it was looking at; that can be read, and the next sweep puts it back."""
    used, fresh, unused = [await folder.keep(stream(name)) for name in (b"used", b"fresh", b"unused")]
    await ledger.work(lambda connection: record_uses(connection, [(used.ref, "entry/1")]))
    inside = tmp_path / "ledger.db.blobs"
    for path in files(tmp_path):
        path.rename(inside / "incoming" / path.name)
    time.now += DAY + 1
    os.utime(inside / "incoming" / fresh.ref[7:], (time.now, time.now))

    assert await read(folder, used) == b"used"
    assert await folder.sweep() == 1

    assert await read(folder, used) == b"used"
    assert await read(folder, fresh) == b"fresh"
    assert not list((inside / "incoming").iterdir())
    with pytest.raises(StoreError, match=unused.ref):
        await read(folder, unused)


async def test_what_is_kept_while_a_sweep_runs_is_not_taken(tmp_path: Path, ledger: Ledger, time: Time) -> None:
    """The sweep has asked who names it, and nobody did; then it is kept again."""
    sweeping = False

    async def asked(function: Callable[[Connection], T], /) -> T:
        answer = await ledger.work(function)
        if sweeping:
            await blobs.keep(stream(b"x"))
        return answer

    blobs = FolderBlobs(tmp_path / "ledger.db.blobs", asked, clock=time)
    claim = await blobs.keep(stream(b"x"))
    time.now += DAY + 1
    sweeping = True

    assert await blobs.sweep() == 0
    assert await read(blobs, claim) == b"x"


async def test_keeping_and_sweeping_at_the_same_time(store: Blobs, time: Time) -> None:
    """Whatever the sweep takes, what `keep` has promised is there when both are done."""
    await keep_and_sweep(store, time, 20)


@contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """The system refuses to let a file grow beyond *size*, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_a_store_error_and_leaves_nothing(tmp_path: Path, folder: FolderBlobs) -> None:
    with no_more_than(300_000), pytest.raises(StoreError, match=r"ledger\.db\.blobs: File too large"):
        await folder.keep(stream(LARGE))

    assert files(tmp_path) == []
    assert await read(folder, await folder.keep(stream(LARGE))) == LARGE


async def test_a_full_disk_for_temporary_files_is_a_store_error(rows: RowBlobs) -> None:
    with no_more_than(1_000_000), pytest.raises(StoreError, match="temporary files: File too large"):
        await rows.keep(stream(LARGE, LARGE))


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file/blobs"):
        await FolderBlobs(tmp_path / "file" / "blobs", ledger.work).keep(stream(b"x"))


_KEEPER = """
import anyio, os, random, sys
from convergekit.stores.sql.blobs import FolderBlobs

async def nobody(function): ...

async def main():
    blobs = FolderBlobs(sys.argv[1], nobody)
    async def keep():
        while True:
            async def content():
                for _ in range(random.randrange(8)):
                    yield os.urandom(random.randrange(200_000))
            claim = await blobs.keep(content())
            os.write(1, claim.ref.encode() + b"\\n")
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(keep)

anyio.run(main)
"""


@pytest.mark.parametrize("number", range(3))
def test_a_process_that_is_killed_leaves_whole_files_only(tmp_path: Path, number: int) -> None:
    """Every name that it had said is there, and every file that is there is what its name says."""
    inside = tmp_path / "ledger.db.blobs"
    process = subprocess.Popen([sys.executable, "-c", _KEEPER, str(inside)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(5 + 11 * number)]
    process.send_signal(signal.SIGKILL)
    said += [line.strip() for line in process.stdout if line.endswith(b"\n")]
    process.stdout.close()
    process.wait()

    there = {path.name: path for path in files(tmp_path) if path.suffix != ".part"}
    assert {ref.decode().removeprefix("sha256:") for ref in said} <= there.keys()
    for name, path in there.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == name


# Rows


async def test_large_content_is_in_many_rows(rows: RowBlobs, ledger: Ledger) -> None:
    claim = await rows.keep(stream(LARGE))
    await rows.keep(stream(LARGE))
    found = ledger.do(lambda connection: connection.execute(select(blob_chunk.c.number)).scalars().all())

    assert sorted(found) == [0, 1, 2]
    assert await read(rows, claim) == LARGE


async def test_content_that_lost_a_row_is_reported(rows: RowBlobs, ledger: Ledger) -> None:
    claim = await rows.keep(stream(LARGE))
    ledger.do(
        lambda connection: connection.execute(update(blob_chunk).where(blob_chunk.c.number == 1).values(number=9))
    )
    with pytest.raises(StoreError, match="damaged"):
        await read(rows, claim)


class TestRowsOnPostgresql(BlobContract):
    """The same, where several really write at the same time."""

    @pytest.fixture
    def ledger(self, postgres_url: str) -> Generator[Ledger]:
        engine = create_engine(postgres_url, pool_size=20)
        metadata.create_all(engine, tables=[blob, blob_chunk, blob_use])
        yield Ledger(engine)
        engine.dispose()

    @pytest.fixture
    def store(self, rows: RowBlobs) -> RowBlobs:
        return rows

    async def test_several_keep_the_same_at_once(self, store: RowBlobs) -> None:
        claims: list[ClaimCheck] = []

        async def keep() -> None:
            claims.append(await store.keep(stream(LARGE)))

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(keep)

        assert len(set(claims)) == 1
        assert await read(store, claims[0]) == LARGE

    async def test_keeping_and_sweeping_at_the_same_time(self, store: RowBlobs, time: Time) -> None:
        await keep_and_sweep(store, time, 20)


# Uses


def test_what_names_content() -> None:
    """Attachments and originals, of the message and of each finished part, each once."""
    one, two, three = (ClaimCheck(ref=f"sha256:{number:064}", size=1) for number in range(3))
    file = Attachment(claim=one)
    received = MessageReceived(key="1", sender="tg:ann", attachments=[file, file, Attachment(data=b"x")], native=two)
    sent = dispatch("1", deliveries=[delivery("1", parts=(Part(attachments=(Attachment(claim=three),)),))])
    sent = sent.model_copy(update={"message": Message("x", attachments=[file], native={"sms": two, "x": {"a": 1}})})

    assert refs_of(received) == [one.ref, two.ref]
    assert refs_of(sent) == [one.ref, three.ref, two.ref]
    assert not refs_of(dispatch("2"))
    assert not refs_of(MessageReceived(key="2", text="x", native={"a": "b"}))
