"""Runs migrations with the account that MIGRATION_DATABASE_URL names, else the application's own; never at application start, and one
at a time."""

from alembic import context
from flask import current_app
from sqlalchemy import text

from clinic import for_migrations

target_db = current_app.extensions["migrate"].db
LOCK = "chairside-migration"


def run_migrations() -> None:
    """Upgrade or downgrade under a lock of the database, so that two machines deploying at once take turns."""
    with for_migrations(current_app).app_context(), target_db.engine.connect() as connection:
        locks = connection.dialect.name in ("mysql", "mariadb")
        if locks and connection.execute(text("SELECT GET_LOCK(:name, 120)"), {"name": LOCK}).scalar() != 1:
            raise RuntimeError("Another migration has been running for two minutes; try again when it has ended.")
        context.configure(connection=connection, target_metadata=target_db.metadata, compare_type=True)
        try:
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()
        finally:
            if locks:
                connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": LOCK})


run_migrations()
