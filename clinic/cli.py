"""Commands of `flask`."""

import getpass
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from clinic import audit, grants, passwords, storage, timer
from clinic.errors import DomainError
from clinic.exports import zipped
from clinic.extensions import db
from clinic.formatting import bytes_of, number_of
from clinic.models import Role
from clinic.operations import chain, chart_versions, reconciling
from clinic.operations.departments import open_department
from clinic.operations.jobs import JOBS
from clinic.operations.jobs import verify_documents as read_anew
from clinic.operations.people import create_person
from clinic.text import one_line


def init_app(app: Flask) -> None:
    """Register the commands."""
    app.cli.add_command(seed_demo)
    app.cli.add_command(seed_demo_documents)
    app.cli.add_command(prepare_store)
    app.cli.add_command(create_admin)
    app.cli.add_command(add_department)
    app.cli.add_command(jobs)
    app.cli.add_command(verify_audit)
    app.cli.add_command(verify_charts)
    app.cli.add_command(verify_documents)
    app.cli.add_command(reconcile_documents)
    app.cli.add_command(export_patient)
    app.cli.add_command(check_export)
    app.cli.add_command(archive_audit)
    app.cli.add_command(database_grants)


@click.command("seed-demo")
@with_appcontext
@click.option("--patients", default=400, show_default=True, type=click.IntRange(50, 1_000_000))
@click.option(
    "--years", default=2, show_default=True, type=click.IntRange(1, 30), help="Years the clinic has been open."
)
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same clinic on the same day.")
@click.option("--if-empty", is_flag=True, help="Do nothing, and succeed, when there are people already.")
def seed_demo(patients: int, years: int, seed: int, if_empty: bool) -> None:
    """Fill an empty database with a believable clinic in which nobody is real."""
    from clinic import demo

    if current_app.config["CHAIRSIDE"].mode == "production":
        raise click.ClickException("Demo people have known passwords; they are not made in production.")
    if not demo.is_empty():
        if if_empty:
            _tell_people()
            return
        raise click.ClickException("There are people in this database already. Demo data goes into an empty one.")
    demo.seed(patients=patients, years=years, seed=seed, say=lambda line: click.echo(f"  {line} ..."))
    db.session.commit()
    click.echo(f"A clinic with {patients} patients is ready.")
    _tell_people()


def _tell_people() -> None:
    """Whom one can sign in as, if this is a demo clinic."""
    from clinic import demo

    people = demo.people_to_try()
    if people:
        click.echo(f"Sign in with the password {demo.PASSWORD} (PIN {demo.PIN}) as")
        for person in people:
            click.echo(f"  {person.email:24}{person.name}, {person.role}")


@click.command("seed-demo-documents")
@with_appcontext
def seed_demo_documents() -> None:
    """File drawn documents for some patients of the demo clinic, if they are not there; in any other clinic nothing is done."""
    from clinic import demo_documents

    if current_app.config["CHAIRSIDE"].mode == "production":
        raise click.ClickException("Documents of a demo clinic are not made in production.")
    try:
        filed = demo_documents.file_documents(db.session.commit)
    except (storage.StorageError, DomainError) as error:
        raise click.ClickException(
            f"The demo's documents are not all there, the next start tries again. {error}"
        ) from None
    click.echo(f"{number_of(filed, 'document')} filed.")


@click.command("prepare-store")
@with_appcontext
def prepare_store() -> None:
    """Make the bucket in the object store, if it is not there."""
    try:
        storage.ensure_bucket()
    except storage.StorageError as error:
        sys.exit(str(error))


@click.command("create-admin")
@with_appcontext
@click.argument("email")
@click.argument("name")
def create_admin(email: str, name: str) -> None:
    """Add an administrator with a temporary password, which is shown once: the first person of a new clinic."""
    password = passwords.temporary()
    try:
        person = create_person(
            name=name,
            email=email,
            role=Role.ADMIN,
            department_id=None,
            year=None,
            password_hash=passwords.hashed(password),
            actor=None,
        )
    except DomainError as error:
        raise click.ClickException(error.sentence) from None
    db.session.commit()
    click.echo(f"{person.name} signs in as {person.email} with the temporary password {password}")


@click.command("add-department")
@with_appcontext
@click.argument("name")
@click.argument("letter")
@click.option("--chairs", default=6, show_default=True, type=click.IntRange(0, 200))
def add_department(name: str, letter: str, chairs: int) -> None:
    """Open a department; its tickets begin with LETTER (A-014), its chairs are called A1, A2, ..."""
    try:
        open_department(name=name, letter=letter, chairs=chairs, actor=None)
    except DomainError as error:
        raise click.ClickException(error.sentence) from None
    db.session.commit()
    click.echo(f"{name.strip()} is open with {chairs} chairs.")


@click.command("jobs")
@with_appcontext
@click.argument("names", nargs=-1, type=click.Choice(sorted(JOBS)))
def jobs(names: tuple[str, ...]) -> None:
    """Run the jobs that are due, for a timer that calls this every few minutes; or those that are named, now.

    The exit status is 1 when one of them failed; the others are run all the same.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    failed = False
    for name in names or JOBS:
        outcome = timer.run(app, name, now=bool(names))
        if outcome:
            failed = failed or not outcome.succeeded
            click.echo(f"{name}: {'' if outcome.succeeded else 'failed. '}{outcome.summary}")
        elif names:
            click.echo(f"{name}: is running already.")
    if failed:
        sys.exit(1)


@click.command("verify-audit")
@with_appcontext
@click.option("--archives", is_flag=True, help="Read what was archived too, from the object store.")
def verify_audit(archives: bool) -> None:
    """Prove the trail from its first event to its last; the exit status is 1, and the first bad event named, when it is not whole."""
    verdict = chain.verify(archives=archives, say=_tell_progress)
    if not verdict.is_good:
        raise click.ClickException(verdict.sentence)
    click.echo(verdict.sentence)
    if excess := grants.excess():
        click.echo(
            f"But the application's own database account may {', '.join(sorted(excess))}: see docs/operations.md."
        )


def _tell_progress(done: int, last: int) -> None:
    if done % 100_000 == 0:
        click.echo(f"  event {done} of {last} ...", err=True)


@click.command("verify-charts")
@with_appcontext
def verify_charts() -> None:
    """Read every version of every chart anew; the exit status is 1, and the first bad one named, when one is not as it was cut."""
    verdict = chart_versions.verify_versions()
    if not verdict.is_good:
        raise click.ClickException(verdict.sentence)
    click.echo(verdict.sentence)


@click.command("verify-documents")
@with_appcontext
@click.option(
    "--share", type=click.FloatRange(0, 1), default=1.0, help="Of all, those first that were read longest ago."
)
def verify_documents(share: float) -> None:
    """Read documents and hash them anew; the exit status is 1, and each that is wrong named, when one is not what was stored.

    It is a run of the job of that name, which the page Status tells of.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    outcome = timer.run(
        app, "verify-documents", now=True, work=lambda keep: read_anew(keep, share=share, tell=_tell_documents)
    )
    if outcome is None:
        raise click.ClickException("Documents are being read anew already. Look at the page Status.")
    if not outcome.succeeded:
        raise click.ClickException(outcome.summary)
    click.echo(outcome.summary)


def _tell_documents(done: int, of: int) -> None:
    if done % 100 == 0 or done == of:
        click.echo(f"  document {done} of {of} ...", err=True)


@click.command("reconcile-documents")
@with_appcontext
@click.option(
    "--take-unknown", is_flag=True, help="Take objects away that no row names: not before somebody knows why."
)
def reconcile_documents(take_unknown: bool) -> None:
    """Make documents and object store agree after what was cut off; safe at any time.

    The exit status is 1 when bytes are missing, and when objects are named by no row.
    """
    try:
        found = reconciling.reconcile(db.session.commit, take_unknown=take_unknown)
    except storage.StorageError as error:
        raise click.ClickException(str(error)) from None
    db.session.commit()
    if not found.is_good:
        raise click.ClickException(found.sentence)
    click.echo(found.sentence)


@click.command("export-patient")
@with_appcontext
@click.argument("code")
@click.option("--to", "to", required=True, metavar="FILE", help="The zip to write, a new file; - for standard output.")
@click.option("--reason", required=True, help="Why the record leaves the clinic, and who gets it; kept in the trail.")
def export_patient(code: str, to: str, reason: str) -> None:
    """Write the whole record of the patient CODE as one zip: documents, prints of the chart, data, and a page to read it by.

    The exit status is 0 when all of it is there; 3 when the zip is good but something is missing that should be in it, which is named;
    1 when there is no export, and then no file either.
    """
    from clinic.blueprints.chart_versions.documents import print_of
    from clinic.exports.record import export

    reason = one_line(reason)
    if not 3 <= len(reason) <= 500:
        raise click.UsageError("Say the reason in 3 to 500 characters: who asked for the record, and what for.")
    account = _account()
    audit.origin.set(audit.Origin(device=f"flask export-patient, {account}"[:255]))
    try:
        with _ended_politely(), _new_file(to) as stream:
            made = export(code, reason=reason, by=account, print_of=print_of, stream=stream, tell=_Telling())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more at its end
        raise click.ClickException("Whoever read the export went away. It is not complete.") from None
    except (DomainError, storage.StorageError) as error:
        raise click.ClickException(f"{error} Nothing was exported.") from None
    except DBAPIError:
        raise click.ClickException("The database broke off. Nothing was exported; try again.") from None
    except OSError as error:
        raise click.ClickException(f"{error.strerror or error}. Nothing was exported.") from None
    click.echo(made.sentence, err=to == "-")
    if made.faults:
        sys.exit(3)


@click.command("check-export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--manifest", default="", help="SHA-256 of the manifest, as the trail has it: that it is this very export."
)
def check_export(file: Path, manifest: str) -> None:
    """Read an export anew and compare every file with its manifest; the exit status is 1, and each that differs named, when one does."""
    try:
        checked = zipped.check(file, digest=manifest, tell=_Telling())
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror or error}.") from None
    if not checked.is_good:
        for fault in checked.faults:
            click.echo(fault, err=True)
        raise click.ClickException(f"{file} is not as it was exported: {number_of(len(checked.faults), 'fault')}.")
    left_out = number_of(len(checked.about.get("left_out", ())), "thing")
    click.echo(
        f"{file} is as it was exported: {number_of(checked.files, 'file')}, {bytes_of(checked.size)}; {left_out} left out. "
        f"The manifest's SHA-256 is {checked.digest}."
    )


def _account() -> str:
    """Who runs this, as far as the machine knows."""
    try:
        return f"the account {getpass.getuser()} of this machine"
    except (KeyError, OSError):
        return f"the account number {os.getuid()} of this machine"


@contextmanager
def _ended_politely() -> Iterator[None]:
    """Whoever ends the program, or closes its terminal, ends it as by Ctrl-C: what is under way is taken back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _new_file(to: str) -> Iterator[BinaryIO]:
    """Where an export goes: a file that is there under its name only when it is whole, for its owner alone; or standard output."""
    if to == "-":
        if sys.stdout.isatty():
            raise click.UsageError("A zip is nothing for a terminal. Name a file, or send it on to another program.")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path, part = Path(to), Path(f"{to}.part")
    if path.exists():
        raise click.ClickException(f"{path} is there already. Choose another name.")
    try:
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(
            f"{part} is there already: another export is writing it, or was killed. In that case remove it."
        ) from None
    try:
        with os.fdopen(number, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


class _Telling:
    """How far a long act is, on standard error, once a second: files, bytes, and how fast."""

    def __init__(self) -> None:
        self.begun = self.told = time.monotonic()

    def __call__(self, files: int, size: int) -> None:
        now = time.monotonic()
        if now - self.told >= 1:
            self.told = now
            rate = bytes_of(int(size / (now - self.begun)))
            click.echo(f"  {number_of(files, 'file')}, {bytes_of(size)}, {rate} a second ...", err=True)


@click.command("archive-audit")
@with_appcontext
def archive_audit() -> None:
    """Move the events that are older than the setting says to the object store, verified before and after, piece by piece."""
    from clinic import for_migrations

    moved = 0
    try:
        with for_migrations(current_app).app_context():
            while count := chain.archive_next():
                db.session.commit()
                moved += count
                click.echo(f"  {number_of(moved, 'event')} moved ...", err=True)
    except DomainError as error:
        raise click.ClickException(error.sentence) from None
    except storage.StorageError as error:
        raise click.ClickException(f"{error} {number_of(moved, 'event')} moved; the rest stays where it is.") from None
    click.echo(f"{number_of(moved, 'event')} moved to the archive.")


@click.command("database-grants")
@with_appcontext
@click.argument("account")
@click.option("--host", default="%", show_default=True, help="From where the account connects.")
@click.option("--apply", is_flag=True, help="Run the SQL with the account that migrations use, instead of showing it.")
def database_grants(account: str, host: str, apply: bool) -> None:
    """The SQL that gives ACCOUNT what the application needs: of the trail, to read and to add, and no more. After every migration."""
    from clinic import for_migrations

    if db.engine.dialect.name not in ("mysql", "mariadb"):
        raise click.ClickException("This database has no accounts of that kind.")
    if not apply:
        for statement in grants.statements(account, host):
            click.echo(f"{statement};")
        return
    try:
        with for_migrations(current_app).app_context():
            grants.give(account, host)
    except DBAPIError as error:
        raise click.ClickException(f"The grants were refused: {error.orig}") from None
    click.echo(f"{account} may now use every table, and of the trail read and add only.")
