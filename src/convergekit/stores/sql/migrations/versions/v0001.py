"""The ledger's first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_HASH = sa.String(length=22).with_variant(sa.String(length=22, collation="C"), "postgresql")
_ID = sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql")
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what this version has more."""
    op.create_table(
        "convergekit_about",
        sa.Column("topic", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("said", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("topic", "said"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "convergekit_blob",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index("convergekit_blob_kept", "convergekit_blob", ["kept"], unique=False)
    op.create_table(
        "convergekit_blob_chunk",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("ref", "number"),
    )
    op.create_table(
        "convergekit_blob_use",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ref", "source"),
        sqlite_with_rowid=False,
    )
    op.create_index("convergekit_blob_use_source", "convergekit_blob_use", ["source"], unique=False)
    op.create_table(
        "convergekit_cursor",
        sa.Column("channel", _NAME, nullable=False),
        sa.Column("feed", _NAME, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "feed"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "convergekit_delivery",
        sa.Column("id", _ID, nullable=False),
        sa.Column("dispatch", _ID, nullable=False),
        sa.Column("channel", _NAME, nullable=False),
        sa.Column("address", _HASH, nullable=False),
        sa.Column("opened", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", _ID, nullable=False),
        sa.Column("named", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("convergekit_delivery_address", "convergekit_delivery", ["address"], unique=False)
    op.create_index(
        "convergekit_delivery_dead",
        "convergekit_delivery",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "convergekit_delivery_unknown",
        "convergekit_delivery",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'unknown'"),
        postgresql_where=sa.text("state = 'unknown'"),
    )
    op.create_table(
        "convergekit_dispatch",
        sa.Column("id", _ID, nullable=False),
        sa.Column("dedupe", _ID, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("wake_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("placed", sa.Boolean(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedupe"),
    )
    op.create_index(
        "convergekit_dispatch_unplaced",
        "convergekit_dispatch",
        ["id"],
        unique=False,
        sqlite_where=sa.text("placed IS 0"),
        postgresql_where=sa.text("placed IS false"),
    )
    op.create_index(
        "convergekit_dispatch_wake",
        "convergekit_dispatch",
        ["wake_at"],
        unique=False,
        sqlite_where=sa.text("wake_at IS NOT NULL"),
        postgresql_where=sa.text("wake_at IS NOT NULL"),
    )
    op.create_table(
        "convergekit_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("channel", _NAME, nullable=False),
        sa.Column("conversation", _NAME, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("crashes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "convergekit_entry_dead",
        "convergekit_entry",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 2"),
        postgresql_where=sa.text("state = 2"),
    )
    op.create_table(
        "convergekit_item",
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("lane", _HASH, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("due", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hold", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("passed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("told", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("dispatch", _ID, nullable=True),
        sa.Column("delivery", _ID, nullable=True),
        sa.PrimaryKeyConstraint("place"),
        postgresql_with={
            "autovacuum_vacuum_scale_factor": 0.01,
            "autovacuum_vacuum_threshold": 200,
            "autovacuum_vacuum_cost_delay": 0,
            "autovacuum_analyze_scale_factor": 0.05,
        },
        sqlite_autoincrement=True,
    )
    op.create_index(
        "convergekit_item_delivery",
        "convergekit_item",
        ["delivery"],
        unique=True,
        sqlite_where=sa.text("delivery IS NOT NULL"),
        postgresql_where=sa.text("delivery IS NOT NULL"),
    )
    op.create_index(
        "convergekit_item_due",
        "convergekit_item",
        ["lane", "due"],
        unique=False,
        sqlite_where=sa.text("state = 2"),
        postgresql_where=sa.text("state = 2"),
    )
    op.create_index("convergekit_item_line", "convergekit_item", ["lane", "state", "told", "place"], unique=False)
    op.create_index(
        "convergekit_item_scheduled",
        "convergekit_item",
        ["due"],
        unique=False,
        sqlite_where=sa.text("state = 3"),
        postgresql_where=sa.text("state = 3"),
    )
    op.create_table(
        "convergekit_lane",
        sa.Column("key", _HASH, nullable=False),
        sa.Column("direction", sa.SmallInteger(), nullable=False),
        sa.Column("channel", _NAME, nullable=False),
        sa.Column("conversation", _NAME, nullable=False),
        sa.Column("importance", sa.SmallInteger(), nullable=False),
        sa.Column("ready", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "token", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("served", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("key"),
        postgresql_with={
            "autovacuum_vacuum_scale_factor": 0.01,
            "autovacuum_vacuum_threshold": 200,
            "autovacuum_vacuum_cost_delay": 0,
            "autovacuum_analyze_scale_factor": 0.05,
        },
        sqlite_with_rowid=False,
    )
    op.create_index(
        "convergekit_lane_ready",
        "convergekit_lane",
        ["direction", "channel", "importance", "ready", "token"],
        unique=False,
    )
    op.create_table(
        "convergekit_meta",
        sa.Column("name", _ID, nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "convergekit_owner",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("holder", _NAME, nullable=False),
        sa.Column("token", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "convergekit_parked",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("channel", _NAME, nullable=False),
        sa.Column("at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "convergekit_parked_id",
        sa.Column("hash", _HASH, nullable=False),
        sa.Column("parked", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("hash", "parked"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "convergekit_provider_id",
        sa.Column("hash", _HASH, nullable=False),
        sa.Column("dispatch", _ID, nullable=False),
        sa.Column("delivery", _ID, nullable=False),
        sa.PrimaryKeyConstraint("hash"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "convergekit_said",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("channel", _NAME, nullable=False),
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("dispatch", _ID, nullable=True),
        sa.Column("words", postgresql.TSVECTOR().with_variant(sa.Text(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("convergekit_said_at", "convergekit_said", ["at"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE convergekit_tokens")
        op.create_index("convergekit_said_words", "convergekit_said", ["words"], postgresql_using="gin")
    else:
        op.execute(
            "CREATE VIRTUAL TABLE convergekit_words"
            " USING fts5(words, content='', columnsize=0, detail=full, tokenize='ascii')"
        )
    op.create_table(
        "convergekit_seen",
        sa.Column("hash", _HASH, nullable=False),
        sa.PrimaryKeyConstraint("hash"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "convergekit_value",
        sa.Column("scope", _NAME, nullable=False),
        sa.Column("key", _NAME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key"),
        sqlite_with_rowid=False,
    )
