"""Run by Alembic, inside the transaction that `convergekit.stores.sql.versions` has begun."""

from alembic import context

from convergekit.stores.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="convergekit_alembic",
    include_name=lambda name, kind, _parents: kind != "table" or name in metadata.tables,  # others may live here, too
)
context.run_migrations()
