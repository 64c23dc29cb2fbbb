"""What each database engine needs to behave: SQLite's foreign keys, write-ahead log and honest transactions; limits on waiting."""

from flask import Flask
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from clinic.extensions import db


def init_app(app: Flask) -> None:
    # Runs before Flask-SQLAlchemy's own, which would fail on a connection that was cut after the answer was ready, and would
    # then leave its session to whichever request comes next.
    app.teardown_appcontext(lambda _error: _close())


def let_go() -> None:
    """End the transaction that is open, if any, with nothing saved. When its connection is gone, the server has ended it."""
    try:
        db.session.rollback()
    except DBAPIError:
        db.session().invalidate()


def _close() -> None:
    """Close the session; what was loaded stays readable, as after Flask-SQLAlchemy's own end."""
    try:
        db.session.remove()
    except DBAPIError:
        db.session().invalidate()


def prepare(engine: Engine) -> None:
    """Attach the settings every new connection gets."""
    name = engine.dialect.name
    if name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    elif name in ("mysql", "mariadb"):
        event.listen(engine, "connect", _mysql_connect)


def _sqlite_connect(connection, _record) -> None:
    connection.isolation_level = None  # SQLAlchemy says BEGIN, not the driver
    for pragma in ("foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=15000"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection) -> None:
    # IMMEDIATE takes the one write lock at once: a transaction that reads and then writes cannot fail half-way.
    deferred = connection.get_execution_options().get("only_reads")
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")


def _mysql_connect(connection, _record) -> None:
    with connection.cursor() as cursor:
        # Strict: a server that cuts off what is too long would store another event than the one that was sealed.
        cursor.execute(
            "SET SESSION innodb_lock_wait_timeout = 5, time_zone = '+00:00', "
            "sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')"
        )
