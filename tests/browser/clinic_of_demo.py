"""A server with the demo clinic: a busy day, for looking at every page. Used by the accessibility walk and by scripts/screenshots.py."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy import select
from werkzeug.serving import make_server

from clinic import create_app, demo, settings
from clinic.config import Config
from clinic.extensions import db
from clinic.models import Counter, Role, User
from tests.browser.conftest import LiveServer
from tests.pages import pages_of
from tests.world import World

SEED = 7


@contextmanager
def demo_server(config: Config) -> Iterator[LiveServer]:
    """Seed an empty database and serve it; its world knows one person per role, by the role's name."""
    app = create_app(config)
    with app.app_context():
        db.create_all()
        settings.forget()
        db.session.add(Counter(name="live", value=0))  # as the migrations do
        demo.seed(patients=120, years=1, seed=SEED)
        db.session.commit()
        world = World(people={role.value: _first(role) for role in Role})
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield LiveServer(f"http://127.0.0.1:{server.server_port}", app, world)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
        with app.app_context():
            db.engine.dispose()


def pages_by_role(app: Flask, world: World) -> dict[str, dict[str, str]]:
    """For each role, the pages its person can open: endpoint and address."""
    return {role: pages_of(app, user_id) for role, user_id in world.people.items()}


def _first(role: Role) -> int:
    return db.session.execute(select(User.id).where(User.role == role).order_by(User.id).limit(1)).scalar_one()
