"""Many people at once: real threads with sessions of their own, on a MariaDB database of their own."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from clinic import create_app, once
from clinic.errors import DomainError, Unavailable
from clinic.extensions import db
from tests.conftest import fresh_mariadb, make_config
from tests.world import World, build_world

ISOLATIONS = ("READ COMMITTED", "REPEATABLE READ", "REPEATABLE READ, snapshot isolation")


@dataclass
class Crowd:
    """An application on its own database; `at_once` lets everybody act together."""

    app: Flask
    world: World
    redone: Counter[int] = field(default_factory=Counter)  # how often acts had to be tried, by number of tries

    def at_once(self, acts: list[Callable[[], Any]], people: int = 25) -> list[Any]:
        """Run the acts by `people` threads, each act one transaction, committed; answers what each gave or the DomainError."""
        line = threading.Barrier(min(people, len(acts)))
        waited = threading.local()

        def one(act: Callable[[], Any]) -> Any:
            if not getattr(waited, "done", False):
                waited.done = True
                line.wait(30)
            with self.app.app_context():
                return self._redone(act)

        with ThreadPoolExecutor(min(people, len(acts))) as pool:
            return list(pool.map(one, acts))

    def _redone(self, act: Callable[[], Any]) -> Any:
        """Like `once.run`: the same tries, the same codes, the same pauses."""
        for attempt in range(1, once.TRIES + 1):
            try:
                answer = act()
                db.session.commit()
                self.redone[attempt] += 1
                return answer
            except DomainError as refusal:
                db.session.rollback()
                self.redone[attempt] += 1
                return refusal
            except DBAPIError as error:
                db.session.rollback()
                if not once.asks_for_redo(error):
                    raise
                time.sleep(random.uniform(0.02, 0.08) * attempt)
        self.redone[once.TRIES + 1] += 1
        return Unavailable("Many people changed the same thing at once.")


@contextmanager
def gather(name: str, isolation: str, people: int = 25) -> Iterator[Crowd]:
    """A crowd of `people` in the world everyone knows, with the isolation asked for (one of ISOLATIONS); it parts at the end."""
    app = create_app(make_config(fresh_mariadb(name), pool_size=people))
    level, _, snapshot = isolation.partition(", ")
    with app.app_context():

        @event.listens_for(db.engine, "connect")
        def isolate(connection: Any, _record: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
                cursor.execute(f"SET SESSION innodb_snapshot_isolation = {'ON' if snapshot else 'OFF'}")

        db.create_all()
        crowd = Crowd(app, build_world())
    yield crowd
    print(name, "tries:", dict(crowd.redone))
    with app.app_context():
        db.engine.dispose()
