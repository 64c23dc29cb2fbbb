"""A database server that was set up to cut off what does not fit: our connections do not let it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from clinic import audit, create_app
from clinic.extensions import db
from tests.conftest import fresh_mariadb, make_config
from tests.conventions.test_accounts import by_root


def test_what_is_too_long_is_refused_and_not_cut_off():
    app = create_app(make_config(fresh_mariadb("lenient")))
    with app.app_context():
        db.create_all()
        [usual] = db.session.execute(text("SELECT @@GLOBAL.sql_mode")).one()
        db.session.remove()
        db.engine.dispose()
        by_root("SET GLOBAL sql_mode = ''")
        try:
            db.session.execute(text("SELECT 1"))
        finally:
            by_root(f"SET GLOBAL sql_mode = '{usual}'")
        assert "STRICT_TRANS_TABLES" in db.session.scalar(text("SELECT @@sql_mode"))
        audit.record("visit.check_in", "Checked in", actor=None, reason="x" * 600)
        with pytest.raises(DataError):
            db.session.commit()
        db.session.remove()
        db.engine.dispose()
