"""Mail, by the server that SMTP_URL names. Never sent inside a transaction, and never waited for by the person who asked."""

import logging
import smtplib
import ssl
import threading
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from flask import current_app
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from clinic import settings
from clinic.config import Config
from clinic.extensions import db

log = logging.getLogger(__name__)
PATIENCE = 20  # seconds for each answer of the mail server


def is_set_up() -> bool:
    return bool(current_app.config["CHAIRSIDE"].smtp_url)


def post_when_committed(to: str, subject: str, text: str) -> None:
    """Post once the act has committed; its rollback forgets it. Nothing happens where no mail server is set up."""
    session = db.session()
    if not session.in_transaction():
        session.begin()  # so that a rollback is heard even when nothing was asked of the database yet
    if is_set_up():
        session.info.setdefault("letters", []).append((to, subject, text, settings.read("mail_reply_to")))


@event.listens_for(Session, "after_commit")
def _post_letters(session: Session) -> None:
    if not session.in_nested_transaction() and (letters := session.info.pop("letters", None)):
        post_all(letters)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: SessionTransaction) -> None:
    if previous.parent is None:
        session.info.pop("letters", None)


def post_all(letters: list[tuple[str, str, str, str]]) -> threading.Thread:
    """Send letters (to, subject, text, whom to answer) in the background; a command does not end before they are sent."""
    config: Config = current_app.config["CHAIRSIDE"]

    def send_each() -> None:
        for letter in letters:
            _try_to_send(config, *letter)

    thread = threading.Thread(target=send_each, name="mail")
    thread.start()
    return thread


def post(to: str, subject: str, text: str) -> threading.Thread:
    """Send in the background, so that the answer takes as long for an unknown address; answers the thread."""
    config: Config = current_app.config["CHAIRSIDE"]
    answers_to = settings.read("mail_reply_to")
    thread = threading.Thread(
        target=_try_to_send, args=(config, to, subject, text, answers_to), name="mail", daemon=True
    )
    thread.start()
    return thread


def send(config: Config, to: str, subject: str, text: str, answers_to: str = "") -> None:
    """Hand one message to the mail server. Raises OSError or smtplib.SMTPException."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = config.mail_from, to, subject
    if answers_to:
        message["Reply-To"] = answers_to
    message.set_content(text)
    url = urlsplit(config.smtp_url)
    host = url.hostname or ""
    trust = ssl.create_default_context()
    if url.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, url.port or 465, timeout=PATIENCE, context=trust)
    else:
        server = smtplib.SMTP(host, url.port or 587, timeout=PATIENCE)
    with server:
        server.ehlo()
        if url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=trust)
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)


def _try_to_send(config: Config, to: str, subject: str, text: str, answers_to: str) -> None:
    try:
        send(config, to, subject, text, answers_to)
    except (OSError, smtplib.SMTPException) as error:
        log.error("mail not sent: %s", type(error).__name__)  # neither address nor text belongs in a log
