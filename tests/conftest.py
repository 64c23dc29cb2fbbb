"""One MariaDB for the run, one database and one world per worker; each test in a transaction that is rolled back."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from clinic import create_app, settings
from clinic.blueprints.queue.board import forget_bodies
from clinic.config import Config
from clinic.extensions import db
from tests import soak
from tests.ledger import Shelf
from tests.page import LintedClient
from tests.servers import server, server_with  # noqa: F401 - fixtures for every folder
from tests.services import MariaDB
from tests.stores import r2, store, weed  # noqa: F401
from tests.world import World, build_world

_server: MariaDB | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Start MariaDB once, in the process that leads the run; workers inherit its port."""
    global _server
    if "CHAIRSIDE_TEST_MARIADB" not in os.environ and not config.option.collectonly:
        _server = MariaDB(Path(tempfile.mkdtemp(prefix="chairside-mariadb-"))).start()
        os.environ["CHAIRSIDE_TEST_MARIADB"] = str(_server.port)


def pytest_report_header() -> str:
    return f"long campaigns: {'in full' if soak.share(1, 0) else 'a small share'}, SEED={soak.daily_seed()}"


def pytest_unconfigure(config: pytest.Config) -> None:
    global _server
    if _server:
        _server.stop(kill=True)
        shutil.rmtree(_server.folder, ignore_errors=True)
        os.environ.pop("CHAIRSIDE_TEST_MARIADB", None)
        _server = None


def fresh_mariadb(name: str) -> str:
    """The URL of a new, empty database on the run's server, of this name and worker."""
    import pymysql

    name = f"{name}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    port = int(os.environ["CHAIRSIDE_TEST_MARIADB"])
    with (
        pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    return f"mariadb+pymysql://root@127.0.0.1:{port}/{name}?charset=utf8mb4"


def with_own_account(app: Flask, url: str) -> str:
    """The URL of the same database for an account that may do what the application needs and no more (clinic/grants.py)."""
    from sqlalchemy import make_url

    from clinic import grants

    account = f"{make_url(url).database}_app"
    with app.app_context():
        with db.engine.connect() as connection:
            connection.exec_driver_sql(f"DROP USER IF EXISTS {account}")
            connection.exec_driver_sql(f"CREATE USER {account} IDENTIFIED BY 'narrow'")
        grants.give(account, "%")
    return url.replace("//root@", f"//{account}:narrow@")


def make_config(database_url: str, **changes: object) -> Config:
    values: dict[str, object] = {
        "mode": "test",
        "database_url": database_url,
        "secret_key": "k" * 40,
        "audit_key": "a" * 40,
        "secure_cookies": False,
    }
    return Config(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def engines() -> Iterator[dict[str, tuple[Flask, World]]]:
    """Applications by engine name, made when first asked for."""
    made: dict[str, tuple[Flask, World]] = {}
    yield made
    for app, _world in made.values():
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(params=["mariadb"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """The database a test runs on: MariaDB; folders that run on SQLite as well parametrise it anew.

    `own account` is MariaDB with an account that may do no more than the application needs; root is used else.
    """
    return str(request.param)


@pytest.fixture
def app(
    engine_name: str,
    engines: dict[str, tuple[Flask, World]],
    worker: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """The application with the world in it; whatever a test changes is rolled back, commits included."""
    if engine_name not in engines:
        if engine_name in ("mariadb", "own account"):
            url = fresh_mariadb("chairside" if engine_name == "mariadb" else "chairside_own")
        else:
            url = f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/test.sqlite"
        made = _as_tests_want_it(create_app(make_config(url)))
        with made.app_context():
            db.create_all()
            settings.forget()
            world = build_world()
        if engine_name == "own account":
            made = _as_tests_want_it(create_app(make_config(with_own_account(made, url))))
        engines[engine_name] = made, world
    app = engines[engine_name][0]
    config = dict(app.config)
    settings.forget()
    forget_bodies()
    with app.app_context():
        engine = db.engine
    connection = engine.connect()
    transaction = connection.begin()
    session_options = db.session.session_factory.kw
    bound = session_options | {"bind": connection, "join_transaction_mode": "create_savepoint"}
    original, db.session.session_factory.kw = session_options, bound
    with _one_connection(connection):
        try:
            yield app
        finally:
            app.config.update(config)
            forget_store(app)
            db.session.session_factory.kw = original
            transaction.rollback()
            connection.close()


def forget_store(app: Flask) -> None:
    """What an application knows of a store that was away, and of files on their way: no test goes by another's."""
    for name in ("chairside_kept", "chairside_store_away", "chairside_uploads", "chairside_downloads"):
        app.extensions.pop(name, None)


def _as_tests_want_it(app: Flask) -> Flask:
    app.testing = True
    app.test_client_class = LintedClient
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


class _one_connection:  # noqa: N801
    """Flask-SQLAlchemy picks a bind per mapper; for the length of a test it is this connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        from flask_sqlalchemy.session import Session as FlaskSession

        self.original = FlaskSession.get_bind
        connection, original, thread = self.connection, self.original, threading.get_ident()

        def bind(session: FlaskSession, *args: Any, **kwargs: Any) -> Any:
            """Threads of other applications (a live server's) keep their own."""
            return connection if threading.get_ident() == thread else original(session, *args, **kwargs)

        FlaskSession.get_bind = bind  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        from flask_sqlalchemy.session import Session as FlaskSession

        FlaskSession.get_bind = self.original  # type: ignore[method-assign]


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """An application context for tests of operations and queries."""
    with app.app_context():
        yield app


@pytest.fixture
def session(context: Flask) -> Session:
    return db.session()


@pytest.fixture
def world(engine_name: str, app: Flask, engines: dict[str, tuple[Flask, World]]) -> World:
    """The ids of the people and patients everyone knows by name (tests/world.py); a test may add names to its own copy."""
    return deepcopy(engines[engine_name][1])


@pytest.fixture(scope="session")
def authority() -> Iterator[Path]:
    """A folder with a throw-away certificate authority: `ca.pem` and its key (tests/authority.py)."""
    from tests.authority import make_authority

    folder = Path(tempfile.mkdtemp(prefix="chairside-authority-"))  # pytest's own folders are closed to other users
    yield make_authority(folder)
    shutil.rmtree(folder)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser in which nobody is signed in."""
    return app.test_client()


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An object store in memory in the place of the real one (tests/ledger.py)."""
    from clinic import storage

    shelf = Shelf()
    for name in ("put_once", "read", "keys", "held", "unfinished"):
        monkeypatch.setattr(storage, name, getattr(shelf, name))
    monkeypatch.setattr(storage, "read_soon", shelf.read)
    return shelf


@pytest.fixture
def browser_of(app: Flask, world: World):  # type: ignore[no-untyped-def]
    """`browser_of("ana")`: a signed-in browser of a person of the world; see tests/person.py."""
    from tests.person import Person

    return lambda name: Person(app, world.people[name])
