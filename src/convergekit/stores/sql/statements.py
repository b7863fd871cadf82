"""Every statement of the ledger's hot paths, made once for a process, so that SQLAlchemy compiles each only once.

Lists of any length are one parameter (`dialects.among`), and so the text of a statement never changes.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Dialect,
    Insert,
    Integer,
    Select,
    Table,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from . import schema as s
from .dialects import NOW, among, insertion
from .prepared import Prepared, Values
from .said import said
from .schema import EntryStates, ItemState

__all__ = ["Statements", "statements"]


class Statements:
    """See the module.

    Args:
        is_sqlite: Whether they are for SQLite; else they are for PostgreSQL.
    """

    def __init__(self, is_sqlite: bool) -> None:
        self.is_sqlite = self._sqlite = is_sqlite
        self._dialect: Dialect = (sqlite if is_sqlite else postgresql).dialect()
        self._prepared: dict[Any, Prepared] = {}
        item, lane = s.item.c, s.lane.c
        one = _one

        # What a batch has to know before it decides. Rows that it will change are locked, in one order.
        self.lanes = self._locked(select(s.lane).where(self._among(lane.key, "keys")).order_by(lane.key))
        self.seen = select(s.seen.c.hash).where(self._among(s.seen.c.hash, "hashes"))
        d = s.dispatch.c
        self.known = select(d.dedupe, d.id, d.fingerprint, d.body).where(self._among(d.dedupe, "keys"))
        self.versions = select(d.id, d.version).where(self._among(d.id, "ids"))
        self.locked_versions = self._locked(self.versions.order_by(d.id))
        self.bodies = select(d.id, d.body).where(self._among(d.id, "ids"))
        deliveries = s.delivery.c
        self.deliveries = select(deliveries.id, deliveries.state, deliveries.opened, deliveries.named).where(
            self._among(deliveries.id, "ids")
        )
        self.items_of = select(item.place, item.lane, item.state, item.due, item.hold, item.delivery).where(
            self._among(item.delivery, "ids")
        )
        # Locked, or somebody could take over between the look and the commit; but any number may look.
        owner = s.owner.c
        owners = select(s.owner).where(self._among(owner.name, "names")).order_by(owner.name)
        self.owners = owners if self._sqlite else owners.with_for_update(read=True)
        self.values = select(s.value.c.scope, s.value.c.key).where(
            self._among(s.value.c.scope, "scopes"), self._among(s.value.c.key, "keys"), s.value.c.body != "null"
        )

        # Writing: each is executed for many rows at once.
        self.add_seen = insert(s.seen)
        self.add_entry = insert(s.entry)
        self.end_entry = (
            update(s.entry)
            .where(s.entry.c.id == bindparam("entry"))
            .values(
                state=bindparam("to"),
                attempts=bindparam("failed"),
                crashes=bindparam("crashed"),
                reason=bindparam("why"),
                since=bindparam("at"),
            )
        )
        self.finish_entry = (
            update(s.entry)
            .where(s.entry.c.id == bindparam("entry"))
            .values(state=EntryStates.DONE.value, reason=null())
        )
        self.add_dispatch = insert(s.dispatch)
        self.change_dispatch = (
            update(s.dispatch)
            .where(d.id == bindparam("dispatch"))
            .values(version=bindparam("to"), wake_at=bindparam("wake"), body=bindparam("document"))
        )
        self.place_dispatch = update(s.dispatch).where(d.id == bindparam("dispatch")).values(placed=True)
        self.put_delivery = self._upsert(s.delivery, ["id"], ["state", "opened", "named"])
        self.add_delivery = insert(s.delivery)
        self.put_provider_id = self._upsert(s.provider_id, ["hash"], ["dispatch", "delivery"])
        self.add_item = insert(s.item)
        self.drop_item = delete(s.item).where(item.place == bindparam("at"))
        self.move_item = (
            update(s.item)
            .where(item.place == bindparam("at"))
            .values(state=bindparam("to"), due=bindparam("when"), hold=bindparam("held"), told=False)
        )
        self.put_cursor = self._upsert(s.cursor, ["channel", "feed"], ["body"])
        self.add_lane = self._add_lane()
        self.change_lane = (
            update(s.lane)
            .where(lane.key == bindparam("lane"))
            .values(ready=bindparam("at"), token=bindparam("fence"), until=bindparam("end"), served=bindparam("place"))
        )
        self.drop_lane = delete(s.lane).where(lane.key == bindparam("lane"))

        # Which item of a lane is next.
        def least(column: ColumnElement[Any], state: ItemState, *more: ColumnElement[bool]) -> Any:
            return (
                select(column)
                .where(item.lane == lane.key, item.state == literal_column(str(state.value)), *more)
                .order_by(column)
                .limit(one)
                .scalar_subquery()
            )

        self.heads = select(
            lane.key,
            least(item.place, ItemState.LINE, item.told.is_(False)),
            least(item.place, ItemState.WAITING, item.told.is_(False)),
            least(item.due, ItemState.ASIDE),
        ).where(self._among(lane.key, "keys"))
        self.blocks = select(item.place, item.due, item.hold).where(self._among(item.place, "places", numbers=True))
        in_lanes = self._among(item.lane, "keys")
        now: BindParameter[Any] = bindparam("now")
        waiting = item.state == literal_column(str(ItemState.WAITING.value))
        aside = item.state == literal_column(str(ItemState.ASIDE.value))
        to_line = update(s.item).values(state=ItemState.LINE.value, told=False)
        self.waited = to_line.where(in_lanes, waiting, item.due <= now)
        self.came_back = to_line.where(in_lanes, aside, item.due <= now)
        self.step_aside = (
            update(s.item)
            .where(
                in_lanes,
                waiting,
                (item.hold <= now) | item.hold.is_(None),
            )
            .values(state=ItemState.ASIDE.value, told=False)
        )
        # ... and which of those aside it overtakes, told once in each time of waiting.
        self.overtaken = select(item.place, item.dispatch, item.delivery).where(
            item.lane == bindparam("lane"),
            aside,
            item.told.is_(False),
            item.place < bindparam("head"),
        )
        self.tell = update(s.item).where(self._among(item.place, "places", numbers=True)).values(told=True, passed=True)
        self.leased_items = select(s.item).where(self._among(item.place, "places", numbers=True))
        self.entries = select(s.entry).where(self._among(s.entry.c.id, "ids", numbers=True))

        # What is not in a lane yet. PostgreSQL knows by itself what time it is, where it is asked for that as well.
        self.now = select(NOW)
        at = now if self._sqlite else func.coalesce(bindparam("now", type_=BigInteger()), NOW)
        self.scheduled = self._locked(
            select(item.place, item.dispatch, item.delivery)
            .where(item.state == literal_column(str(ItemState.SCHEDULED.value)), item.due <= at)
            .order_by(item.due, item.place)
            .limit(256),
            skip=True,
        )
        self.next_scheduled = select(func.min(item.due)).where(
            item.state == literal_column(str(ItemState.SCHEDULED.value))
        )
        self.unplaced = self._locked(
            select(d.id, d.body).where(d.placed.is_(False)).order_by(d.id).limit(256), skip=True
        )

        self.awake = select(d.id, d.wake_at).where(d.wake_at.is_not(None)).order_by(d.wake_at).limit(bindparam("limit"))
        self.channels_in = self._channels()
        self.new_entries, self.new_said = _numbers(s.entry), _numbers(said)

    def prepared(self, statement: Any, example: Values, dialect: Dialect) -> Prepared:
        """*statement* for the driver itself, to be given values like *example*, in a database that is connected."""
        key = statement, dialect.server_version_info
        known = self._prepared.get(key)
        if known is None:
            known = self._prepared[key] = Prepared(statement, dialect, example)
        return known

    def _among(self, column: ColumnElement[Any], name: str, *, numbers: bool = False) -> ColumnElement[bool]:
        return among(column, name, numbers=numbers, sqlite=self._sqlite)

    def _locked(self, statement: Any, *, skip: bool = False) -> Any:
        return statement if self._sqlite else statement.with_for_update(skip_locked=skip)

    def _upsert(self, table: Table, keys: list[str], changes: list[str]) -> Insert:
        statement = insertion(self._dialect, table)
        changed = {name: statement.excluded[name] for name in changes}
        upsert: Insert = statement.on_conflict_do_update(index_elements=keys, set_=changed)
        return upsert

    def _add_lane(self) -> Insert:
        statement = insertion(self._dialect, s.lane)
        lane = s.lane.c
        sooner = case((lane.ready > statement.excluded.ready, statement.excluded.ready), else_=lane.ready)
        # Somebody else may have made it since we looked, and hold it by now.
        ready = case((lane.until.is_(None), sooner), else_=lane.ready)
        upsert: Insert = statement.on_conflict_do_update(index_elements=["key"], set_={"ready": ready})
        return upsert

    def _channels(self) -> Select[Any]:
        """The channels of a direction that have lanes: from one to the next, however many lanes each has."""
        lane = s.lane.c
        first = select(func.min(lane.channel).label("channel")).where(lane.direction == bindparam("direction"))
        names = first.cte("names", recursive=True)
        following = (
            select(func.min(lane.channel))
            .where(lane.direction == bindparam("direction"), lane.channel > names.c.channel)
            .scalar_subquery()
        )
        names = names.union_all(select(following).where(names.c.channel.is_not(None)))
        return select(names.c.channel).where(names.c.channel.is_not(None))

    @lru_cache(maxsize=256)  # noqa: B019 - as many as there are numbers of channels
    def candidates(self, pairs: int) -> Any:
        """Of each of so many (channel, class) pairs up to `limit_i` lanes that are ready, the longest waiting first."""
        lane = s.lane.c
        parts = []
        for number in range(pairs):
            ready = (
                select(s.lane)
                .where(
                    lane.direction == bindparam("direction"),
                    lane.channel == bindparam(f"channel_{number}"),
                    lane.importance == bindparam(f"importance_{number}"),
                    lane.ready <= bindparam("now"),
                )
                .order_by(lane.ready, lane.token)
                .limit(bindparam(f"limit_{number}"))
            )
            parts.append(self._locked(ready, skip=True))
        return self._together(parts)

    @lru_cache(maxsize=256)  # noqa: B019
    def next_ready(self, pairs: int) -> Any:
        """When a lane of one of so many pairs will be ready that is not now."""
        lane = s.lane.c
        return self._together(
            [
                select(func.min(lane.ready)).where(
                    lane.direction == bindparam("direction"),
                    lane.channel == bindparam(f"channel_{number}"),
                    lane.importance == bindparam(f"importance_{number}"),
                    lane.ready > bindparam("now"),
                )
                for number in range(pairs)
            ]
        )

    def _together(self, parts: list[Select[Any]]) -> Any:
        if len(parts) == 1:
            return parts[0]
        # In subqueries: a union itself takes neither an order (SQLite) nor a lock (PostgreSQL) in its parts.
        return union_all(*[select(part.subquery()) for part in parts])


@cache
def statements(is_sqlite: bool) -> Statements:
    """The only ones of this process; see `Statements`."""
    return Statements(is_sqlite)


def _numbers(table: Table) -> Select[Any]:
    """So many of the numbers that PostgreSQL gives to new rows of *table*, in no order."""
    number = func.nextval(func.pg_get_serial_sequence(table.name, "id"))
    return select(number).select_from(func.generate_series(1, bindparam("count", type_=Integer())))


_one: ColumnElement[Any] = literal_column("1")
