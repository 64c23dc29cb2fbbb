"""TLS to the database: the certificate's chain and host name are verified against a real server, and nothing less is taken."""

from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tests.authority import make_authority, make_certificate
from tests.conftest import make_config
from tests.services import MariaDB

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("config_tls"),
]  # one worker: the servers start once


@pytest.fixture(scope="module")
def serve(authority):
    """`serve("good")`: the URL of a server with that certificate; `serve(None)`: of one that knows no TLS."""
    for name, host in (("good", "127.0.0.1"), ("elsewhere", "db.elsewhere.test"), ("expired", "127.0.0.1")):
        make_certificate(authority, name, host, expired=name == "expired")
    started = {}

    def serve(certificate):
        if certificate not in started:
            options = ["--skip-ssl"]
            if certificate:
                options = [f"--ssl-cert={authority}/{certificate}.pem", f"--ssl-key={authority}/{certificate}.key"]
            started[certificate] = MariaDB(authority / f"server-{certificate}", *options).start()
            started[certificate].database("clinic")
        return f"mariadb://root@127.0.0.1:{started[certificate].port}/clinic"

    yield serve
    for server in started.values():
        server.stop(kill=True)


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("other"))


def cipher(url, authority):
    """The cipher of a connection made with the application's own settings."""
    config = replace(make_config(url), database_ca=str(authority / "ca.pem"))
    engine = create_engine(config.sqlalchemy_url(), **config.engine_options())
    try:
        with engine.connect() as connection:
            return connection.execute(text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1]
    finally:
        engine.dispose()


def test_the_right_authority_and_host_connect_encrypted(serve, authority):
    assert cipher(serve("good"), authority)


def test_another_authority_is_refused(serve, authority, other_authority):
    with pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        cipher(serve("good"), other_authority)


def test_another_host_name_is_refused(serve, authority):
    with pytest.raises(OperationalError, match="IP address mismatch|Hostname mismatch"):
        cipher(serve("elsewhere"), authority)


def test_an_expired_certificate_is_refused(serve, authority):
    with pytest.raises(OperationalError, match="certificate has expired"):
        cipher(serve("expired"), authority)


def test_a_server_without_tls_is_refused(serve, authority):
    with pytest.raises(OperationalError, match="(?i)ssl"):
        cipher(serve(None), authority)
