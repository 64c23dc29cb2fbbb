"""Migrations: up, down, up; models equal the schema; one head."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from clinic import create_app
from clinic.extensions import db
from clinic.models import Base
from tests.conftest import fresh_mariadb, make_config

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


@pytest.fixture(params=["mariadb", "sqlite"])
def empty_app(request, tmp_path, worker):
    url = fresh_mariadb("migrations") if request.param == "mariadb" else f"sqlite:///{tmp_path}/m.sqlite"
    app = create_app(make_config(url))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_up_down_up_and_models_equal_schema(empty_app):
    upgrade(str(MIGRATIONS))
    assert tables() == set(Base.metadata.tables)
    downgrade(str(MIGRATIONS), revision="base")
    assert tables() == set()
    upgrade(str(MIGRATIONS))
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert connection.execute(text("SELECT value FROM counter WHERE name = 'live'")).scalar() == 0


def test_one_head_and_it_is_written_down():
    """Two branches that each add a migration both change migrations/HEAD: they conflict in git, not in production."""
    heads = ScriptDirectory(str(MIGRATIONS)).get_heads()
    assert heads == [(MIGRATIONS / "HEAD").read_text().strip()], "Write the newest revision into migrations/HEAD."


def test_every_table_says_its_engine_and_collation():
    """Dumps cross between MySQL and MariaDB only with a collation both know (facts.md, MySQL 8)."""
    for table in Base.metadata.tables.values():
        options = table.dialect_options["mysql"]
        assert (options["engine"], options["charset"], options["collate"]) == ("InnoDB", "utf8mb4", "utf8mb4_bin"), (
            table
        )
