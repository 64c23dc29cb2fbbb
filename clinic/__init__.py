"""Chairside: the teaching dental clinic's whole day in one tool."""

from typing import IO

from flask import Flask, Request, Response, g, request
from flask.sessions import SessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter

from clinic import (
    access,
    assets,
    cli,
    database,
    errors,
    formatting,
    live_stream,
    once,
    rendering,
    security,
    sessions,
    trail,
    way,
)
from clinic.config import Config
from clinic.extensions import compress, db, login_manager, migrate


class NoClientSession(SessionInterface):
    """Nothing is kept in Flask's signed cookie; people's sessions are rows (clinic/sessions.py)."""

    def open_session(self, app: Flask, request: Request) -> None:
        return None

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        return None


class Asked(Request):
    """A request whose file goes where its view wants it (`g.file_goes_to`), as it comes in; else where Werkzeug puts files."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        if "file_goes_to" in g:
            goes_to: IO[bytes] = g.file_goes_to(filename or "")
            return goes_to
        return super()._get_file_stream(total_content_length, content_type, filename, content_length)


class Number(IntegerConverter):
    """An id in an address. One longer than any column holds is no page of ours, like any other that does not exist."""

    regex = r"[0-9]{1,18}"


class Chairside(Flask):
    """A Flask whose every view runs as one transaction that is safe to repeat (see clinic/once.py)."""

    jinja_options = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}

    request_class = Asked
    session_interface = NoClientSession()

    def send_static_file(self, filename: str) -> Response:
        return assets.send(filename)

    def dispatch_request(self) -> ResponseReturnValue:
        if request.routing_exception is not None or request.endpoint == "static":
            return super().dispatch_request()
        declared = access.access_of(request.endpoint or "")
        needs_key = declared is not None and declared.needs_key
        view = super().dispatch_request
        return once.run(
            lambda: trail.witnessed(view), owner=access.owner() if "csrf_owner" in g else None, needs_key=needs_key
        )


def create_app(config: Config) -> Flask:
    """The application for one configuration: extensions, access, security, errors, blueprints, filters, commands."""
    app = Chairside(__name__)
    app.config.update(config.flask())
    if config.proxy_hops:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=config.proxy_hops, x_proto=config.proxy_hops, x_host=config.proxy_hops
        )
    db.init_app(app)
    with app.app_context():
        database.prepare(db.engine)
    database.init_app(app)
    migrate.init_app(app, db)
    login_manager.init_app(app)
    login_manager.request_loader(lambda _request: sessions.current_user_or_none())
    compress.init_app(app)
    live_stream.init_app(app)
    way.init_app(app)
    access.init_app(app)
    security.init_app(app)
    errors.init_app(app)
    app.url_map.converters["int"] = Number
    _register_blueprints(app)
    formatting.init_app(app)
    rendering.init_app(app)
    cli.init_app(app)
    return app


def for_migrations(app: Flask) -> Flask:
    """The same application with the database account that may change the schema and the trail: itself, where there is but one."""
    config = app.config["CHAIRSIDE"]
    return create_app(config.for_migrations()) if config.migration_database_url else app


def _register_blueprints(app: Flask) -> None:
    from clinic.blueprints import ALL

    for blueprint in ALL:
        app.register_blueprint(blueprint)
