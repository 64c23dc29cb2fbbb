"""Charts printed over HTTP while Chromium is killed again and again: each PDF is whole and its own patient's, or there is a sentence."""

import http.client
import random
import re
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from clinic import clock
from clinic.extensions import db
from clinic.models import Assignment, AssignmentKind, Patient, Sex
from clinic.operations.chart_versions import finish_first_charting
from clinic.text import sort_key
from tests.charting import chart_line
from tests.printers import Printer, printer, words_of, zombies_of
from tests.servers import Server
from tests.soak import daily_seed, share

pytestmark = [
    pytest.mark.server,
    pytest.mark.soak,
    pytest.mark.timeout(3600),
    pytest.mark.xdist_group("printing"),
]
LINES = (
    "16 mo car4; 36 o comp ex",
    "48 miss; 37 o s plan",
    "11 crown ex; 46 rct plan; 26 od am ex",
    "38 impacted; 21 fx enamel",
)


@dataclass
class Count:
    """What came of the prints. `wrong`: a PDF that is not whole or not its patient's, or an answer that is no sentence."""

    printed: int = 0
    refused: int = 0
    longest: float = 0
    wrong: list[str] = field(default_factory=list)


def charted_patients(server: Server, count: int) -> list[tuple[int, str]]:
    """So many more patients of Kamal's, each charted and with a version; id and a word that only this one's prints hold."""
    made = []
    with server.inside():
        kamal, at = server.world.user("kamal"), clock.now()
        for number in range(count):
            canary = f"Canary{number:03d}x"
            patient = Patient(
                code=f"P-2025-{number:05d}", name=f"{canary} Perera", sort_name=sort_key(canary), sex=Sex.FEMALE,
                birth_date=clock.today().replace(year=1990, day=1), phone="", created_at=at, created_by_id=kamal.id,
            )  # fmt: skip
            db.session.add(patient)
            db.session.flush()
            db.session.add(
                Assignment(
                    patient_id=patient.id, user_id=kamal.id, kind=AssignmentKind.PRIMARY, starts_at=at,
                    created_by_id=server.world.people["silva"],
                )
            )  # fmt: skip
            db.session.flush()
            chart_line(patient, LINES[number % len(LINES)], actor=kamal)
            finish_first_charting(patient, actor=kamal)
            db.session.commit()
            made.append((patient.id, canary))
        db.session.remove()
        db.engine.dispose()
    return made


def ask(server: Server, cookie: str, patient_id: int) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=90)
    try:
        connection.request("GET", f"/patients/{patient_id}/chart/versions/1.pdf", headers={"Cookie": cookie})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("Retry-After", "")
    finally:
        connection.close()


def judge(count: Count, canary: str, status: int, body: bytes, again: str) -> None:
    """Whole, its own patient's on every page, and of nobody else; or a refusal with a sentence and when to try again."""
    if status == 503:
        count.refused += 1
        if b"printer" not in body.lower() or not again:
            count.wrong.append(f"503 without a sentence: {body[-300:]!r}")
        return
    if status != 200 or not body.startswith(b"%PDF-") or not body.rstrip().endswith(b"%%EOF"):
        count.wrong.append(f"{status}: {body[:80]!r}")
        return
    pages = words_of(body).split("\f")[:-1]
    for number, page in enumerate(pages, 1):
        found = set(re.findall(r"Canary\d{3}x", page))
        if found != {canary} or f"Page {number} of {len(pages)}" not in page:
            count.wrong.append(f"page {number} of {canary}: {found}")
    count.printed += 1


def test_every_print_is_its_own_patients_while_chromium_is_killed(server_with):
    prints, kills, patients = share(500, 40), share(50, 4), share(50, 8)
    chance = random.Random(daily_seed())
    count, lock, over = Count(), threading.Lock(), threading.Event()
    with printer() as press:
        server = server_with(PRINTER_SOCKET=str(press.path))
        whose = charted_patients(server, patients)
        cookie, _token = server.sign_in("kamal")

        def one(turn: int) -> None:
            patient_id, canary = whose[turn % len(whose)]
            began = time.monotonic()
            status, body, again = ask(server, cookie, patient_id)
            with lock:
                count.longest = max(count.longest, time.monotonic() - began)
                judge(count, canary, status, body, again)

        def kill() -> None:
            for done in range(kills):
                due = prints * (done + 1) / (kills + 1)
                while count.printed + count.refused < due - 1 and not over.is_set():
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.3))
                press.kill_chromium()

        killer = threading.Thread(target=kill)
        killer.start()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, chance.sample(range(prints), prints)))
        over.set()
        killer.join()
        status, body, again = ask(server, cookie, whose[0][0])
        judge(count, whose[0][1], status, body, again)
        assert status == 200, "after the last kill it prints again"
        assert nothing_is_left_of_the_killed(press)
    print(f"prints: {count.printed} whole, {count.refused} refused, longest {count.longest:.1f} s, {kills} kills")
    assert not count.wrong, count.wrong[:5]
    assert count.printed + count.refused == prints + 1
    assert count.refused <= prints * 0.05, "a kill costs a retry, seldom a print"
    assert count.longest <= 10 if share(1, 0) else True


def nothing_is_left_of_the_killed(press: Printer) -> bool:
    """Whether no zombie is left, within the moment that it takes to take leave of one; and one browser runs."""
    deadline = time.monotonic() + 30
    while (press.zombies() or len(press.chromium()) != 1) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not zombies_of(press.pid) and len(press.chromium()) == 1


def test_memory_stays_flat_over_many_prints(context, world):
    """Medians of whole generations of the browser: it is replaced after a hundred documents."""
    from clinic.blueprints.chart_versions.documents import print_of
    from clinic.prints import pdf_of
    from clinic.queries.chart import version_for
    from clinic.queries.standing import standing_of
    from tests.charted import charted

    prints = share(1000, 60)
    charted(world)
    kamal = world.user("kamal")
    version = version_for(kamal, world.patients["fernando"], 2)
    with printer() as press, context.test_request_context("/"):
        context.config["CHAIRSIDE"] = with_printer(context, press)
        html = print_of(version, standing_of(version)).html()
        assert pdf_of(print_of(version, standing_of(version)))
        from clinic.printing.client import print_pdf

        held = []
        for turn in range(prints):
            assert print_pdf(html.replace("Nimali", f"Nimali{turn}")).startswith(b"%PDF-")
            if turn % share(10, 5) == 0:
                held.append(press.memory())
        part = max(len(held) // 5, 3)
        first, last = statistics.median(held[part : 2 * part]), statistics.median(held[-part:])
        print(f"memory: {first / 2**20:.0f} MB after a fifth, {last / 2**20:.0f} MB at the end of {prints} prints")
        assert last <= first * (1.10 if share(1, 0) else 1.35)
        assert not press.zombies()


def with_printer(app, press: Printer):
    from dataclasses import replace

    return replace(app.config["CHAIRSIDE"], printer_socket=str(press.path))
