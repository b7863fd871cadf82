"""The ledger's tables, the same on SQLite and on PostgreSQL.

How to read them:

- Times are microseconds since 1970, UTC. Documents (`body`) are the JSON form of the model.
- A message never moves: `entry` and `dispatch` hold content and state. What is *open* is in two small tables: `item`
  has one row for each thing that stands in a lane or is scheduled, `lane` one row for each lane that has open work.
  They stay small however many messages are finished, so that claiming costs the same.
- `lane.ready` is the earliest moment at which the lane may be looked at: now, a due time, or the end of its lease.
  One indexed column is queue, delay, back-off and crash recovery.
- What must outlive erasure is a hash: `seen` (an event's channel and key), `dispatch.dedupe` (key and recipient).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

__all__ = [
    "ENDED_BADLY",
    "FAILED",
    "OLDEST_READER",
    "VERSION",
    "EntryStates",
    "ItemState",
    "cursor",
    "delivery",
    "dispatch",
    "entry",
    "item",
    "lane",
    "meta",
    "metadata",
    "owner",
    "parked",
    "parked_id",
    "provider_id",
    "seen",
    "tokens",
    "value",
]

#: Of the tables below. A migration adds one; `OLDEST_READER` is the oldest version whose code may still use them.
VERSION: Final = 2
OLDEST_READER: Final = 1


class ItemState(IntEnum):
    """Where an item stands."""

    LINE = 0
    """In its lane, to be served in turn."""
    WAITING = 1
    """In its lane, not due: it blocks those behind it until it is due or its hold is over."""
    ASIDE = 2
    """Not due, and its hold is over: others pass it."""
    SCHEDULED = 3
    """In no lane yet: it enters at the end when it is due."""


class EntryStates(IntEnum):
    """`EntryState` as stored."""

    READY = 0
    DONE = 1
    DEAD = 2


#: How a delivery that came to no good end is stored, by how it is stored otherwise.
ENDED_BADLY: Final = {"closed": "failed", "cancelled": "expired"}

metadata = MetaData()
_PREFIX: Final = "convergekit_"  # a host's own tables may stand beside ours
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # there only INTEGER counts by itself
# Compared as bytes: in the order of some language PostgreSQL takes twice as long, and gains nothing by it.
_HASH = String(22).with_variant(String(22, collation="C"), "postgresql")  # 128 bits in URL-safe base64
_ID = String(64).with_variant(String(64, collation="C"), "postgresql")
_NAME = Text().with_variant(Text(collation="C"), "postgresql")

#: Small tables of which every row dies soon: swept up once a hundredth of it is dead, and without pauses. Room left in
#: their pages (fillfactor) would gain nothing, for what changes in them is indexed.
_BUSY: Final = {
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 200,
    "autovacuum_vacuum_cost_delay": 0,
    "autovacuum_analyze_scale_factor": 0.05,
}

#: The schema's version, and on SQLite the counter of claims.
meta = Table(
    _PREFIX + "meta",
    metadata,
    Column("name", _ID, primary_key=True),
    Column("number", _NUMBER, nullable=False),
)

#: The counter of claims on PostgreSQL, which then do not wait for each other.
tokens = Sequence(_PREFIX + "tokens", metadata=metadata)

seen = Table(_PREFIX + "seen", metadata, Column("hash", _HASH, primary_key=True), sqlite_with_rowid=False)

entry = Table(
    _PREFIX + "entry",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("channel", _NAME, nullable=False),
    Column("conversation", _NAME, nullable=False),  # of its lane
    Column("state", SmallInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("crashes", Integer, nullable=False, server_default=text("0")),
    Column("reason", Text),
    Column("since", _NUMBER),  # when it last failed
    Column("body", Text, nullable=False),  # empty once it is erased
)
Index(
    _PREFIX + "entry_dead",
    entry.c.id,
    sqlite_where=entry.c.state == EntryStates.DEAD.value,
    postgresql_where=entry.c.state == EntryStates.DEAD.value,
)

dispatch = Table(
    _PREFIX + "dispatch",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("dedupe", _ID, nullable=False, unique=True),
    Column("fingerprint", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("wake_at", _NUMBER),
    Column("placed", Boolean, nullable=False),  # false: stored by a host's own transaction, and in no lane yet
    Column("recipient", Text, nullable=False),
    Column("body", Text, nullable=False),
)
Index(
    _PREFIX + "dispatch_wake",
    dispatch.c.wake_at,
    sqlite_where=dispatch.c.wake_at.is_not(None),
    postgresql_where=dispatch.c.wake_at.is_not(None),
)
Index(
    _PREFIX + "dispatch_unplaced",
    dispatch.c.id,
    sqlite_where=dispatch.c.placed.is_(False),
    postgresql_where=dispatch.c.placed.is_(False),
)

delivery = Table(
    _PREFIX + "delivery",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("dispatch", _ID, nullable=False),
    Column("channel", _NAME, nullable=False),
    Column("address", _HASH, nullable=False),  # of channel and address
    Column("opened", _NUMBER),  # null: a later leg
    Column("state", _ID, nullable=False),  # the model's, or one of `ENDED_BADLY`
    Column("named", Text, nullable=False, server_default=""),  # hashes of the provider's ids, one space between
)
Index(_PREFIX + "delivery_address", delivery.c.address)
Index(
    _PREFIX + "delivery_dead",
    delivery.c.id,
    sqlite_where=delivery.c.state == "dead",
    postgresql_where=delivery.c.state == "dead",
)
Index(
    _PREFIX + "delivery_unknown",
    delivery.c.id,
    sqlite_where=delivery.c.state == "unknown",
    postgresql_where=delivery.c.state == "unknown",
)

#: What came to no good end (`Dispatch.failed`). Without parameters: it is by this that the indexes are found.
FAILED: Final = text("state IN ('dead', 'unknown', 'failed', 'expired')")
for _name, _first in (("delivery_failed", delivery.c.channel), ("delivery_failed_to", delivery.c.address)):
    Index(_PREFIX + _name, _first, delivery.c.id, sqlite_where=FAILED, postgresql_where=FAILED)

provider_id = Table(
    _PREFIX + "provider_id",
    metadata,
    Column("hash", _HASH, primary_key=True),  # of channel and id
    Column("dispatch", _ID, nullable=False),
    Column("delivery", _ID, nullable=False),
    sqlite_with_rowid=False,
)

lane = Table(
    _PREFIX + "lane",
    metadata,
    Column("key", _HASH, primary_key=True),
    Column("direction", SmallInteger, nullable=False),
    Column("channel", _NAME, nullable=False),
    Column("conversation", _NAME, nullable=False),
    Column("importance", SmallInteger, nullable=False),
    Column("ready", _NUMBER, nullable=False),
    Column("token", _NUMBER, nullable=False, server_default=text("0")),
    Column("until", _NUMBER),  # null: leased to nobody
    Column("served", _NUMBER),  # place of the item that the lease is on; stays when the lease ends by itself
    sqlite_with_rowid=False,
    postgresql_with=_BUSY,
)
Index(
    _PREFIX + "lane_ready",
    lane.c.direction,
    lane.c.channel,
    lane.c.importance,
    lane.c.ready,
    lane.c.token,  # of those that are ready since the same moment, who was served last comes last; the new by age
)

item = Table(
    _PREFIX + "item",
    metadata,
    Column("place", _NUMBER, primary_key=True, autoincrement=True),
    Column("lane", _HASH, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("due", _NUMBER, nullable=False),
    Column("hold", _NUMBER),
    Column("passed", Boolean, nullable=False, server_default=text("false")),
    Column("told", Boolean, nullable=False, server_default=text("false")),  # that it was passed in this time aside
    Column("entry", _NUMBER),
    Column("dispatch", _ID),
    Column("delivery", _ID),
    sqlite_autoincrement=True,
    postgresql_with=_BUSY,
)
Index(_PREFIX + "item_line", item.c.lane, item.c.state, item.c.told, item.c.place)
Index(
    _PREFIX + "item_due",
    item.c.lane,
    item.c.due,
    sqlite_where=item.c.state == ItemState.ASIDE.value,
    postgresql_where=item.c.state == ItemState.ASIDE.value,
)
Index(
    _PREFIX + "item_scheduled",
    item.c.due,
    sqlite_where=item.c.state == ItemState.SCHEDULED.value,
    postgresql_where=item.c.state == ItemState.SCHEDULED.value,
)
Index(
    _PREFIX + "item_delivery",
    item.c.delivery,
    unique=True,
    sqlite_where=item.c.delivery.is_not(None),
    postgresql_where=item.c.delivery.is_not(None),
)

parked = Table(
    _PREFIX + "parked",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("channel", _NAME, nullable=False),
    Column("at", _NUMBER, nullable=False),
    Column("body", Text, nullable=False),
)
parked_id = Table(
    _PREFIX + "parked_id",
    metadata,
    Column("hash", _HASH, primary_key=True),
    Column("parked", _NUMBER, primary_key=True),
    sqlite_with_rowid=False,
)

value = Table(
    _PREFIX + "value",
    metadata,
    Column("scope", _NAME, primary_key=True),
    Column("key", _NAME, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

cursor = Table(
    _PREFIX + "cursor",
    metadata,
    Column("channel", _NAME, primary_key=True),
    Column("feed", _NAME, primary_key=True),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

owner = Table(
    _PREFIX + "owner",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("holder", _NAME, nullable=False),
    Column("token", _NUMBER, nullable=False),
    Column("until", _NUMBER, nullable=False),
    sqlite_with_rowid=False,
)
