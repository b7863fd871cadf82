"""Write the migration that leads from the newest revision to the tables as the code has them now.

After a change of tables: raise `VERSION` in `stores/sql/schema.py` and run `python tools/revision.py "What is new."`;
then read what it wrote, and add by hand what Alembic does not see: virtual tables, triggers, settings of a table.
Words that both databases understand come from PostgreSQL, so it is the one that is asked.
"""

from __future__ import annotations

import sys

from alembic import command
from alembic.config import Config
from postgres import Postgres
from sqlalchemy import create_engine

from convergekit.stores.sql.schema import VERSION


def main(message: str) -> None:
    """Migrate an empty database as far as there are revisions, and compare it with the code."""
    config = Config()
    config.set_main_option("script_location", "convergekit.stores.sql:migrations")
    config.set_main_option("file_template", "v%%(rev)s")
    with Postgres() as server:
        engine = create_engine(server.url())
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            command.revision(config, message, rev_id=f"{VERSION:04}", autogenerate=True)
        engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
