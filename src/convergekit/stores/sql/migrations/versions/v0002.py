"""Deliveries that came to no good end are found by their channel, and by their address."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from convergekit.errors import InvalidInputError
from convergekit.model import Dispatch
from convergekit.model.wire import from_json
from convergekit.stores.sql.rows import dispatch_row

revision = "0002"
down_revision = "0001"

_STATES = "state IN ('dead', 'unknown', 'failed', 'expired')"


def upgrade() -> None:
    """Add what this version has more, and mark what has failed already."""
    connection = op.get_bind()
    last = ""
    # Only where the document says so: of most rows nothing is read but by the database itself.
    found = sa.text(
        "SELECT id, body FROM convergekit_dispatch"
        " WHERE id > :last AND (body LIKE :failed OR body LIKE :expired) ORDER BY id LIMIT 1000"
    )
    mark = sa.text("UPDATE convergekit_delivery SET state = :state WHERE id = :id")
    said = {"failed": '%"failed":true%', "expired": '%"kind":"expired"%'}
    while rows := connection.execute(found, {"last": last, **said}).all():
        last = rows[-1].id
        if marked := [each for row in rows for each in _marked(row.body)]:
            connection.execute(mark, marked)
    for name, column in (("delivery_failed", "channel"), ("delivery_failed_to", "address")):
        op.create_index(
            f"convergekit_{name}",
            "convergekit_delivery",
            [column, "id"],
            unique=False,
            sqlite_where=sa.text(_STATES),
            postgresql_where=sa.text(_STATES),
        )


def _marked(body: str) -> Sequence[dict[str, Any]]:
    try:
        dispatch = from_json(Dispatch, body)
    except InvalidInputError:  # whoever serves it finds out
        return []
    ended = {each.id: each.state for each in dispatch.deliveries}
    rows = dispatch_row(dispatch).deliveries
    return [{"id": row.id, "state": row.state} for row in rows if row.state != ended[row.id]]
