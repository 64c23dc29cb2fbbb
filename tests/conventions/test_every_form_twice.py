"""Every form on every page, sent twice: the second time answers the same and changes nothing (safety.md B2)."""

import pytest
from werkzeug.test import TestResponse

from tests.conventions.matrix import writes_on

TRACES = ("once_key", "auth_session")


@pytest.mark.timeout(600)
def test_every_form_twice(crawl):
    wrong, count = [], 0
    for write in crawl.writes():
        first = write.send()
        with writes_on(crawl.connection) as tables:
            second = write.send()
        if not crawl.note(write, first):
            continue
        count += 1
        same = what_it_said(first) == what_it_said(second)
        same = same or "/sign-in" in second.headers.get("Location", "")  # the act was to end one's own session
        written = [table for table in tables if table not in TRACES]
        if not same or written:
            wrong.append(f"{write.who} {write.endpoint} on {write.url}: second answer same: {same}, wrote {written}")
    assert not wrong, "\n".join(wrong)
    assert not crawl.unreached(), crawl.unreached()
    print(f"{count} forms of {len(crawl.sent)} writes, all there are, sent twice")


def what_it_said(answer: TestResponse) -> tuple[object, ...]:
    return answer.status_code, answer.headers.get("Location"), answer.text
