"""The application's configuration: one frozen dataclass, read once from the environment, refusing what cannot be right."""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

EXAMPLES = re.compile(  # nothing here so short that a random key holds it by chance: three x in a row did
    r"change[-_ ]?me|example|secret|password|xxxxxx|your[-_]|^(.{1,4})\1*$|0123456789|abcdefgh", re.IGNORECASE
)
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
HOST = re.compile(r"\.?[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\]", re.IGNORECASE)


# Providers add these to the address they give; whether TLS is used and verified is said by DATABASE_CA alone.
PROVIDERS_TLS_WORDS = {"ssl-mode", "ssl_mode", "sslmode"}


class ConfigError(Exception):
    """A sentence for the person who starts the application."""


@dataclass(frozen=True)
class Config:
    """`mode` is `production`, `embedded` (one machine, everything started by `make run`) or `test`."""

    mode: str
    database_url: str = field(repr=False)  # holds a password
    secret_key: str = field(repr=False)
    audit_key: str = field(repr=False)
    s3_endpoint: str = ""
    s3_bucket: str = ""
    s3_access_key: str = field(default="", repr=False)
    s3_secret_key: str = field(default="", repr=False)
    migration_database_url: str = field(default="", repr=False)  # the account that may change the schema and the trail
    database_ca: str = ""  # certificate authority of the database server; its chain and host name are verified
    database_tls: bool = True
    pool_size: int = 8
    trusted_hosts: tuple[str, ...] = ()
    s3_tls: bool = True
    proxy_hops: int = 0
    secure_cookies: bool = True
    smtp_url: str = field(default="", repr=False)  # smtp://user:password@host:587 or smtps://...
    mail_from: str = ""
    printer_socket: str = ""
    clamd_most: int = 25  # MiB of a file that it looks into (MaxFileSize); a larger one is never called clean
    clamd: str = ""  # host:port or socket of a virus scanner; without one nothing is scanned
    commit: str = ""  # of the source that runs, where the platform says it
    live_heartbeat: float = 8  # seconds between proofs of life on a stream; pages show their age from 10 s on
    live_streams: int = 160  # open streams of one process; the server's threads must be more (gunicorn.conf.py)

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Config":
        """Read and check the environment. Raises ConfigError with every fault found, one line each."""
        faults: list[str] = []
        mode = env.get("CHAIRSIDE_MODE", "production")
        if mode not in ("production", "embedded", "test"):
            faults.append(f"CHAIRSIDE_MODE is {mode!r}; it must be production, embedded or test.")

        def needed(name: str) -> str:
            value = env.get(name, "").strip()
            if not value:
                faults.append(
                    f"{name} is missing. Set it in the environment; docs/operations.md says how to choose it."
                )
            return value

        def secret(name: str, least: int) -> str:
            value = needed(name)
            if value and (len(value) < least or (mode != "test" and EXAMPLES.search(value))):
                faults.append(f"{name} is too short or an example value. Use at least {least} random characters.")
            return value

        def number(name: str, default: int, low: int, high: int) -> int:
            text = env.get(name, str(default)).strip()
            if not text.isdigit() or not low <= int(text) <= high:
                faults.append(f"{name} is {text!r}; it must be a whole number from {low} to {high}.")
                return default
            return int(text)

        def switch(name: str, default: bool) -> bool:
            text = env.get(name, "on" if default else "off").strip().lower()
            if text not in ("on", "off"):
                faults.append(f"{name} is {text!r}; it must be on or off.")
            return text == "on"

        config = cls(
            mode=mode,
            database_url=needed("DATABASE_URL"),
            secret_key=secret("SECRET_KEY", 32),
            audit_key=secret("AUDIT_KEY", 32),
            s3_endpoint=needed("S3_ENDPOINT"),
            s3_bucket=needed("S3_BUCKET"),
            s3_access_key=needed("S3_ACCESS_KEY"),
            s3_secret_key=secret("S3_SECRET_KEY", 8),
            migration_database_url=env.get("MIGRATION_DATABASE_URL", "").strip(),
            database_ca=env.get("DATABASE_CA", "").strip(),
            database_tls=switch("DATABASE_TLS", True),
            s3_tls=switch("S3_TLS", True),
            pool_size=number("DATABASE_POOL", 8, 1, 100),
            trusted_hosts=tuple(host.strip() for host in env.get("TRUSTED_HOSTS", "").split(",") if host.strip()),
            proxy_hops=number("PROXY_HOPS", 0, 0, 5),
            secure_cookies=switch("SECURE_COOKIES", mode == "production"),
            smtp_url=env.get("SMTP_URL", "").strip(),
            mail_from=env.get("MAIL_FROM", "").strip(),
            printer_socket=env.get("PRINTER_SOCKET", "").strip(),
            clamd=env.get("CLAMD", "").strip(),
            clamd_most=number("CLAMD_MOST", 25, 1, 10_000),
            commit=(env.get("COMMIT") or env.get("RENDER_GIT_COMMIT") or "").strip(),
            live_heartbeat=number("LIVE_HEARTBEAT", 8, 1, 9),
            live_streams=number("LIVE_STREAMS", 160, 1, 1000),
        )
        faults += config._faults()
        if faults:
            raise ConfigError("\n".join(faults))
        return config

    def _faults(self) -> list[str]:
        """What is wrong with values that are there."""
        production = self.mode == "production"
        faults = self._database_faults("DATABASE_URL", self.database_url, production) if self.database_url else []
        if self.migration_database_url:
            faults += self._database_faults("MIGRATION_DATABASE_URL", self.migration_database_url, production)
            faults = list(dict.fromkeys(faults))
        if self.database_ca:
            faults += _certificate_faults(Path(self.database_ca))
        if self.secret_key and self.secret_key == self.audit_key:
            faults.append("AUDIT_KEY is the same as SECRET_KEY. They protect different things: choose two values.")
        if self.s3_endpoint:
            parts = _address(self.s3_endpoint)
            if parts is None or parts.scheme not in ("http", "https"):
                faults.append("S3_ENDPOINT is not an address like https://account.r2.cloudflarestorage.com.")
            elif production and parts.scheme == "http" and self.s3_tls:
                faults.append(
                    "S3_ENDPOINT is plain http. Use https, or set S3_TLS=off when the store is reached "
                    "over a private network of its own."
                )
        if self.s3_bucket and not BUCKET.fullmatch(self.s3_bucket) and self.mode != "test":
            faults.append("S3_BUCKET is not a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes.")
        if production and EXAMPLES.search(self.s3_access_key):
            faults.append("S3_ACCESS_KEY is an example value.")
        if self.smtp_url:
            parts = _address(self.smtp_url)
            if parts is None or parts.scheme not in ("smtp", "smtps"):
                faults.append("SMTP_URL is not an address like smtp://user:password@mail.host:587.")
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", self.mail_from):
                faults.append("MAIL_FROM is missing or no e-mail address: the sender of password mails.")
        if production and not self.trusted_hosts:
            faults.append("TRUSTED_HOSTS is missing: the host names under which people reach the clinic, with commas.")
        faults += [
            f"TRUSTED_HOSTS holds {host!r}, which is not a host name: leave out https://, ports and paths."
            for host in self.trusted_hosts
            if not HOST.fullmatch(host)
        ]
        return faults

    def _database_faults(self, name: str, address: str, production: bool) -> list[str]:
        try:
            url = make_url(address)
        except (ArgumentError, ValueError):
            return [f"{name} is not a database address like mysql://user:password@host:3306/chairside."]
        faults = []
        backend = url.get_backend_name()
        if backend not in ("mysql", "mariadb", "sqlite", "postgresql"):
            return [f"{name} names {backend!r}; MySQL, MariaDB, PostgreSQL and SQLite are known."]
        if backend == "sqlite":
            if production:
                faults.append(
                    f"{name} names SQLite, which serves demonstrations only; production needs MySQL or MariaDB."
                )
            return faults
        if not url.host and "unix_socket" not in url.query or not url.database:
            faults.append(f"{name} lacks the host or the database's name: mysql://user:password@host:3306/chairside.")
        if backend == "postgresql" and find_spec("psycopg") is None:
            faults.append(f"{name} names PostgreSQL, whose driver is not installed: pip install 'psycopg[binary]'.")
        unknown = sorted(set(url.query) - {"charset", "unix_socket"} - PROVIDERS_TLS_WORDS)
        if unknown:
            faults.append(f"{name} holds {', '.join(unknown)} after the question mark; leave them out.")
        if production and url.password and EXAMPLES.search(str(url.password)):
            faults.append(f"{name} holds an example password. Choose a random one.")
        if production and not url.password and "unix_socket" not in url.query:
            faults.append(f"{name} holds no password.")
        if production and self.database_tls and not self.database_ca and "unix_socket" not in url.query:
            faults.append(
                "DATABASE_CA is missing: name the file with the database's certificate authority, "
                "or set DATABASE_TLS=off when the database is reached over a private network of its own."
            )
        if self.database_ca and not self.database_tls:
            faults.append("DATABASE_CA is set, but DATABASE_TLS is off. Leave one of them out.")
        return faults

    def flask(self) -> dict[str, object]:
        """The same as Flask and its extensions want it."""
        return {
            "SECRET_KEY": self.secret_key,
            "SQLALCHEMY_DATABASE_URI": self.sqlalchemy_url(),
            "SQLALCHEMY_ENGINE_OPTIONS": self.engine_options(),
            "MAX_CONTENT_LENGTH": 2 * 1024 * 1024,  # of an upload the view says its own
            "MAX_FORM_MEMORY_SIZE": 1024 * 1024,
            "MAX_FORM_PARTS": 500,
            # Health checks from inside the machine name it by its own address.
            "TRUSTED_HOSTS": [*self.trusted_hosts, "127.0.0.1"] if self.trusted_hosts else None,
            "COMPRESS_MIMETYPES": [
                "text/html",
                "text/css",
                "text/javascript",
                "application/json",
                "image/svg+xml",
            ],
            "COMPRESS_ALGORITHM": ["br", "gzip"],
            "COMPRESS_STREAMS": False,
            "CHAIRSIDE": self,
        }

    def for_migrations(self) -> "Config":
        """The same, with the account that migrations use, if it is another."""
        return replace(self, database_url=self.migration_database_url or self.database_url, migration_database_url="")

    def sqlalchemy_url(self) -> str:
        url = make_url(self.database_url).difference_update_query(PROVIDERS_TLS_WORDS)
        if url.get_backend_name() in ("mysql", "mariadb"):
            url = url.set(drivername=f"{url.get_backend_name()}+pymysql").update_query_dict({"charset": "utf8mb4"})
        elif url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        return url.render_as_string(hide_password=False)

    def engine_options(self) -> dict[str, object]:
        """Pool and connection options of the engine; each number with its reason."""
        backend = make_url(self.database_url).get_backend_name()
        if backend == "sqlite":
            return {"connect_args": {"timeout": 15, "check_same_thread": False}, "hide_parameters": True}
        options: dict[str, object] = {
            "hide_parameters": True,  # what is in a statement names patients, and an error's text goes to the log
            "pool_size": self.pool_size,
            "max_overflow": self.pool_size,
            "pool_timeout": 5,  # a person waits no longer than this for a connection; then 503
            "pool_recycle": 280,  # proxies cut idle connections at 300 s
            "pool_pre_ping": True,  # a restarted database costs no failed page
            "pool_use_lifo": True,
            "isolation_level": "READ COMMITTED",  # what was locked is read as it is now, not as at the first read
        }
        if backend in ("mysql", "mariadb"):
            arguments: dict[str, object] = {"connect_timeout": 5, "read_timeout": 30, "write_timeout": 30}
            if self.database_ca:
                # PyMySQL checks chain and host name only when all three are given.
                arguments |= {
                    "ssl_ca": self.database_ca,
                    "ssl_verify_cert": True,
                    "ssl_verify_identity": True,
                }
            options["connect_args"] = arguments
        elif self.database_ca:
            options["connect_args"] = {"sslmode": "verify-full", "sslrootcert": self.database_ca}
        return options


def _address(text: str) -> SplitResult | None:
    """The parts of an address with a host and, if any, a sensible port; None for anything else."""
    try:
        parts = urlsplit(text)
        is_whole = bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", text)
    except ValueError:  # a port that is no number
        return None
    return parts if is_whole else None


def _certificate_faults(path: Path) -> list[str]:
    if not path.is_file():
        return [f"DATABASE_CA names {path}, which is not a file."]
    try:
        ssl.create_default_context(cafile=str(path))
    except (ssl.SSLError, OSError):
        return [f"DATABASE_CA names {path}, which holds no certificate in PEM form that can be read."]
    return []
