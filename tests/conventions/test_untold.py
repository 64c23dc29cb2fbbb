"""What cannot be told to the trail is not done, and what cannot be told is not shown (safety.md D1).

The right to add events is taken from the application's account: whatever left an event before answers 503 with a sentence, and the
database is as it was.
"""

import pytest

from clinic.extensions import db
from clinic.models import AuditHead, Base
from tests.conventions.crawl import EXCEPT
from tests.conventions.matrix import COLUMNS, address, ask, ids_of, routes
from tests.conventions.test_accounts import by_root
from tests.person import Person
from tests.soak import share
from tests.visitor import Visitor

pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.timeout(900)]
SENTENCE = "cannot be written to the trail"


@pytest.fixture
def engine_name():
    return "own account"


class Revoked:
    """While this lasts, nobody can add to the trail."""

    def __init__(self):
        self.whom = f"ON `{db.engine.url.database}`.audit_event %s {db.engine.url.username}"

    def __enter__(self):
        by_root(f"REVOKE INSERT {self.whom % 'FROM'}")

    def __exit__(self, *_):
        by_root(f"GRANT INSERT {self.whom % 'TO'}")


@pytest.fixture
def untold(context):
    yield Revoked()
    Revoked().__exit__()


def contents(connection):
    """A sum over the rows of every table but two: sessions also tell when somebody last asked for anything, and a wrong password is
    counted though nothing else can be done. Of documents those that came to something: a row is there before a byte is read."""
    sums = []
    for table in Base.metadata.sorted_tables:
        if table.name not in ("auth_session", "sign_in_throttle"):
            columns = ", ".join(f"IFNULL(`{column.name}`, '-')" for column in table.columns)
            of = " WHERE status NOT IN ('pending', 'failed')" if table.name == "document" else ""
            sums.append(
                f"SELECT '{table.name}', COUNT(*), SUM(CRC32(CONCAT_WS('#', {columns}))) FROM `{table.name}`{of}"
            )
    return {name: (count, total) for name, count, total in connection.exec_driver_sql(" UNION ALL ".join(sums))}


def test_no_act_is_done_that_cannot_be_told(crawl, untold):
    """Every write there is, from its own page: with the right gone nothing of it is done, and with the right back the same form goes
    through, so that it was no other refusal."""
    wrong, changing = [], 0
    for write in crawl.writes():
        if write.endpoint in crawl.sent and not share(1, 0):  # by others, from other pages, about other patients
            continue
        if write.endpoint in EXCEPT:
            continue
        before = contents(crawl.connection)
        with untold:
            answer = write.send()
        if answer.status_code != 503 or SENTENCE not in answer.text:
            wrong.append(f"{write.who} {write.endpoint} on {write.url}: {answer.status_code}")
        if contents(crawl.connection) != before:
            wrong.append(f"{write.who} {write.endpoint} on {write.url}: something was changed")
        went_through = crawl.note(write, write.send())
        changing += went_through and contents(crawl.connection) != before
    assert not wrong, "\n".join(wrong)
    assert not crawl.unreached(), crawl.unreached()
    assert changing >= len(crawl.sent), "the sums must tell that something was done"
    print(
        f"{len(crawl.sent)} writes, all there are, in {changing} forms: without the right to add to the trail, 0 were done"
    )


def test_nothing_is_shown_that_cannot_be_told(crawl, untold):
    """Every cell of the matrix that leaves an event."""
    app, world, connection = crawl.app, crawl.world, crawl.connection
    browsers = {name: Person(app, world.people[name]) for _, name, _ in COLUMNS if name}
    ids = {subject: ids_of(world, subject) for _, _, subject in COLUMNS}
    seq = AuditHead.__table__.select()
    told, wrong = [], []
    for number, (rule, verb) in enumerate(routes(app)):
        for column, name, subject in COLUMNS[number % (every := share(1, 5)) :: every]:
            if url := address(rule, ids[subject]):
                with crawl.rolled_back():
                    before = connection.execute(seq).one()
                    ask(app, browsers.get(name), verb, url).close()
                    if connection.execute(seq).one() != before:
                        told.append((column, browsers.get(name), verb, url))
    before = contents(connection)
    with untold:
        for column, browser, verb, url in told:
            with crawl.rolled_back():
                answer = ask(app, browser, verb, url)
                if answer.status_code != 503 or SENTENCE not in answer.text:
                    wrong.append(f"{column} {verb} {url}: {answer.status_code}")
                answer.close()
                if changed := {name for name, total in contents(connection).items() if total != before[name]}:
                    wrong.append(f"{column} {verb} {url}: changed {changed}")
    assert not wrong, "\n".join(wrong)
    assert len(told) > share(500, 100)
    print(
        f"{len(told)} cells of the matrix leave an event: without the right to add to the trail, all of them answer 503"
    )


def test_nobody_comes_in_who_cannot_be_told(app, world, untold):
    visitor = Visitor(app)
    with untold:
        answer = visitor.sign_in("ruwan")
        assert answer.status_code == 503
        assert SENTENCE in answer.text
    assert not visitor.is_in()
    assert visitor.sign_in("ruwan").status_code == 303
