"""The database stopped, cut off and made read-only under people at work: sentences, and all well right after (safety.md I1-I3)."""

import http.client
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pymysql
import pytest

from clinic.extensions import db
from tests.campaigns.browserless import RemotePerson
from tests.servers import Server
from tests.services import MariaDB
from tests.soak import share

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

PAGES = (
    "/queue",
    "/queue/board",
    "/schedule",
    "/patients",
    "/visits/new",
    "/walk-in",
    "/account/sessions",
    "/sign-in",
    "/no-such-page",
)
AWAY = share(60, 6)  # seconds


@pytest.fixture
def store(server_with) -> Iterator[tuple[MariaDB, Server]]:  # type: ignore[no-untyped-def]
    with tempfile.TemporaryDirectory(prefix="chairside-outage-") as folder:
        mariadb = MariaDB(Path(folder)).start()
        url = mariadb.database("outage")
        # Its own account: root may write to a database that only reads.
        mariadb.sql("CREATE USER clinic@'%' IDENTIFIED BY 'outage'", "GRANT ALL ON outage.* TO clinic@'%'")
        server = server_with(DATABASE_URL=url.replace("root@", "clinic:outage@"))
        try:
            yield mariadb, server
        finally:
            server.kill()
            with server.inside():
                db.session.remove()
                db.engine.dispose()
            mariadb.stop(kill=True)


class Crowd:
    """Four people who open pages and write, all the time; what they were answered, and when."""

    def __init__(self, server: Server) -> None:
        self.answers: list[tuple[float, str, int, str]] = []
        self.stop = threading.Event()
        self.threads = [
            threading.Thread(target=self._work, args=(RemotePerson(server, name), number))
            for number, name in enumerate(("ruwan", "rita", "nimal", "ruwan"))
        ]
        for thread in self.threads:
            thread.start()

    def _work(self, visitor: RemotePerson, number: int) -> None:
        turn = number
        while not self.stop.is_set():
            turn += 1
            path = PAGES[turn % len(PAGES)]
            began = time.monotonic()
            try:
                if turn % 5 == 0:
                    path = "/theme"
                    answer = visitor.post(
                        path, {"theme": "dark", "once": f"outage-{number}-{turn}"}, htmx=turn % 2 == 0
                    )
                else:
                    answer = visitor.get(path)
                self.answers.append((began, path, answer.status, answer.text))
            except (OSError, http.client.HTTPException) as error:
                self.answers.append((began, path, 0, repr(error)))
            time.sleep(0.05)

    def end(self) -> list[tuple[float, str, int, str]]:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
        return self.answers


def check_answers(server: Server, answers: list[tuple[float, str, int, str]]) -> None:
    odd = [
        (path, status, text[:200]) for _, path, status, text in answers if status not in (200, 204, 303, 403, 404, 503)
    ]
    assert not odd, odd[:5]
    for _, path, status, text in answers:
        if status == 503:
            assert "Busy for a moment" in text, (path, text[:300])
    log = server.log.read_text()
    for fault in ("Error handling request", "unhandled error", "could not be rendered"):
        assert fault not in log, log[-3000:]


def test_the_database_is_away_for_a_while(store):
    mariadb, server = store
    crowd = Crowd(server)
    time.sleep(1)
    mariadb.stop()
    time.sleep(AWAY)
    mariadb.start()
    back = time.monotonic()
    time.sleep(8)
    answers = crowd.end()
    check_answers(server, answers)
    assert any(status == 503 for _, _, status, _ in answers)
    late = [(path, status) for began, path, status, _ in answers if began > back + 5 and status >= 500]
    assert not late


def cut_all(mariadb: MariaDB) -> None:
    with (
        pymysql.connect(unix_socket=f"{mariadb.folder}/s", user="root", autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = 'outage'")
        for (number,) in cursor.fetchall():
            with suppress(pymysql.err.OperationalError):  # gone already
                cursor.execute(f"KILL {number}")


def test_every_connection_is_cut_under_people_at_work(store):
    mariadb, server = store
    crowd = Crowd(server)
    for _ in range(int(share(50, 8))):
        time.sleep(0.5)
        cut_all(mariadb)
    time.sleep(1)
    cut_last = time.monotonic()
    time.sleep(2)
    answers = crowd.end()
    assert not [(path, status) for began, path, status, _ in answers if began > cut_last and status >= 500]
    check_answers(server, answers)


def test_the_database_only_reads(store):
    mariadb, server = store
    ruwan, nobody = RemotePerson(server, "ruwan"), RemotePerson(server, "ruwan")
    nobody.cookie = ""
    patient = f"/patients/{server.world.patients['fernando']}"
    mariadb.sql("SET GLOBAL read_only = 1")
    assert nobody.get("/sign-in").status == 200
    assert ruwan.get("/queue/board", htmx=True).status == 200  # what a page refetches by itself is no event
    # Opening a page must leave a trace, and a write must be kept: neither can be done, and both say so.
    write = ruwan.post("/theme", {"theme": "dark", "once": "read-only-1"})
    for answer in (ruwan.get(patient), ruwan.get("/queue"), write):
        assert (answer.status, "takes no changes" in answer.text) == (503, True)
    mariadb.sql("SET GLOBAL read_only = 0")
    assert ruwan.get(patient).status == 200
    check_answers(server, [])
