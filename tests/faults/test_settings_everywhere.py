"""A setting changed by one process is in force in every other within two seconds."""

import re
import time
import urllib.request

import pytest

from clinic import settings
from clinic.extensions import db
from clinic.operations.settings import change_setting

pytestmark = pytest.mark.server


def test_another_process_reads_a_change_within_two_seconds(server):
    cookie, _ = server.sign_in("rita")

    def shown():
        request = urllib.request.Request(f"{server.url}/account/pin", headers={"Cookie": cookie})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(re.search('data-idle="([0-9]+)"', answer.read().decode())[1])

    assert {shown() for _ in range(12)} == {300}  # both processes hold it now
    with server.inside():
        change_setting("idle_lock_seconds", 420, actor=server.world.user("adel"))
        db.session.commit()
    time.sleep(settings.MAX_AGE)
    assert {shown() for _ in range(24)} == {420}
