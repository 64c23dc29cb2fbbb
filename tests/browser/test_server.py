"""The live server that the other tests here stand on: each begins with a world that nothing of the test before reaches into."""

import threading
import time

from sqlalchemy import func, select

from clinic import audit
from clinic.extensions import db
from clinic.models import AuditEvent, AuditHead
from tests.browser.conftest import empty


def test_a_request_still_underway_leaves_nothing_behind(live_server):
    holds = threading.Event()

    def write_late() -> None:
        with live_server.inside():
            db.session.execute(select(AuditHead.seq).with_for_update())
            holds.set()
            time.sleep(0.5)  # the rows are being deleted
            audit.record("test.late", "Came late", actor=None)
            db.session.commit()

    late = threading.Thread(target=write_late)
    late.start()
    assert holds.wait(10)
    with live_server.inside():
        empty()
        late.join(10)
        assert db.session.scalar(select(func.count()).select_from(AuditEvent)) == 0
