"""The ledger's tables from version to version, for Alembic. An empty database needs none of it."""
