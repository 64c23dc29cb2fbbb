"""Mail reaches a real server of the protocol, and its absence hurts nobody."""

import socketserver
import threading
from email import message_from_bytes
from email.policy import default

import pytest

from clinic import mail
from clinic.operations.settings import change_setting
from tests.conftest import make_config
from tests.services import free_port
from tests.visitor import Visitor


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
