"""Commands of `flask`."""

import sys

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from clinic import storage
from clinic.extensions import db


def init_app(app: Flask) -> None:
    """Register the commands."""
    app.cli.add_command(seed_demo)
    app.cli.add_command(prepare_store)


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


@click.command("prepare-store")
@with_appcontext
def prepare_store() -> None:
    """Make the bucket in the object store, if it is not there."""
    try:
        storage.ensure_bucket()
    except storage.StorageError as error:
        sys.exit(str(error))
