"""Mail reaches a real server of the protocol, and its absence hurts nobody."""

import socketserver
import threading
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest

from clinic import audit, clock, mail
from clinic.extensions import db
from clinic.operations.openings import notice_unexplained_openings
from clinic.operations.settings import change_setting
from tests.conftest import make_config
from tests.services import free_port
from tests.visitor import Visitor
from tests.world import PASSWORD


class Sink(socketserver.StreamRequestHandler):
    """Accepts every message and keeps it in the server's list."""

    def handle(self):
        self.say("220 sink")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "DATA":
                self.say("354 go on")
                lines = []
                while (text := self.rfile.readline().decode()) not in (".\r\n", ""):
                    lines.append(text)
                self.server.letters.append("".join(lines))
            self.say("221 bye" if word == "QUIT" else "250 ok")
            if word == "QUIT":
                return

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def sink():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sink)
    server.letters = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def config(port):
    return make_config("sqlite://", smtp_url=f"smtp://127.0.0.1:{port}", mail_from="clinic@clinic.test")


def test_a_letter_arrives_whole(sink):
    mail.send(config(sink.server_address[1]), "ruwan@clinic.test", "Grüße", "Dr. රුවන්\n.\nlast line\n")
    letter = message_from_bytes(sink.letters[0].replace("\r\n..", "\r\n.").encode(), policy=default)
    assert (letter["To"], letter["From"], letter["Subject"]) == ("ruwan@clinic.test", "clinic@clinic.test", "Grüße")
    assert letter.get_content().replace("\r\n", "\n") == "Dr. රුවන්\n.\nlast line\n"
    assert letter["Reply-To"] is None


def test_answers_go_where_the_clinic_wants_them(context, world, sink, monkeypatch):
    monkeypatch.setitem(context.config, "CHAIRSIDE", config(sink.server_address[1]))
    change_setting("mail_reply_to", "desk@clinic.test", actor=world.user("adel"))
    mail.post("ruwan@clinic.test", "Hello", "Text\n").join(10)
    assert message_from_bytes(sink.letters[0].encode(), policy=default)["Reply-To"] == "desk@clinic.test"


def test_a_forgotten_password_sends_one_link_to_its_owner(app, world, sink, monkeypatch):
    threads, original = [], mail.post
    monkeypatch.setitem(app.config, "CHAIRSIDE", config(sink.server_address[1]))
    monkeypatch.setattr(mail, "post", lambda *words: threads.append(original(*words)))
    visitor = Visitor(app)
    answer = visitor.post("/sign-in/forgotten", {"email": "ruwan@clinic.test"}, token_of="/sign-in/forgotten")
    assert answer.status_code == 200
    for thread in threads:
        thread.join(10)
    letter = message_from_bytes(sink.letters[0].encode(), policy=default).get_content()
    link = next(word for word in letter.split() if "/sign-in/new-password/" in word)
    assert visitor.get(link).status_code == 200


def test_a_mail_server_that_is_away_is_no_fault_of_the_page(app, world, monkeypatch, caplog):
    threads, original = [], mail.post
    monkeypatch.setitem(app.config, "CHAIRSIDE", config(free_port()))
    monkeypatch.setattr(mail, "post", lambda *words: threads.append(original(*words)))
    answer = Visitor(app).post("/sign-in/forgotten", {"email": "ruwan@clinic.test"}, token_of="/sign-in/forgotten")
    assert answer.status_code == 200
    threads[0].join(10)
    assert "mail not sent" in caplog.text
    assert "ruwan" not in caplog.text


@pytest.fixture
def posted(app, sink, monkeypatch):
    """The letters that the sink has received once all threads are done, as (to, text)."""
    threads, original = [], mail.post_all
    monkeypatch.setitem(app.config, "CHAIRSIDE", config(sink.server_address[1]))
    monkeypatch.setattr(mail, "post_all", lambda letters: threads.append(original(letters)))

    def received():
        for thread in threads:
            thread.join(10)
        letters = [message_from_bytes(letter.encode(), policy=default) for letter in sink.letters]
        return sorted((letter["To"], letter.get_content()) for letter in letters)

    return received


def test_who_breaks_the_glass_has_the_supervisors_written_to(app, world, browser_of, posted):
    answer = browser_of("kamal").post(
        "/break-glass",
        {
            "code": "P-2026-00003",
            "birth_date": "20/6/2015",
            "reason": "cover",
            "words": "Omar is away today",
            "present": PASSWORD,
        },
    )
    assert answer.status_code == 303
    letters = posted()
    assert [to for to, _text in letters] == ["sato@clinic.test", "silva@clinic.test"]
    for _to, text in letters:
        assert "P-2026-00003" in text
        assert "Omar is away today" in text
        assert "吴美玲" not in text


def test_who_opened_a_record_for_no_known_reason_is_written_to(context, world, posted):
    with clock.frozen(clock.start_of(clock.today())):
        audit.record("patient.open", "Opened", actor=world.user("kamal"), patient=world.patients["nadia"])
    db.session.commit()
    with clock.frozen(clock.start_of(clock.today()) + timedelta(hours=12)):
        for _ in range(2):
            notice_unexplained_openings()
            db.session.commit()
    ((to, text),) = posted()
    assert to == "kamal@clinic.test"
    assert "P-2026-00004" in text
    assert "نادية" not in text


def test_what_is_undone_is_not_posted(context, posted):
    mail.post_when_committed("ruwan@clinic.test", "Undone", "Never")
    db.session.rollback()
    with db.session.begin_nested():
        mail.post_when_committed("ruwan@clinic.test", "Kept", "Whole")
    assert posted() == []
    db.session.commit()
    db.session.commit()
    assert posted() == [("ruwan@clinic.test", "Whole\r\n")]


def test_without_a_mail_server_nothing_is_kept_to_post(context):
    mail.post_when_committed("ruwan@clinic.test", "Nowhere", "Never")
    assert not db.session().info.get("letters")
