"""The environment: what is missing, an example or malformed is refused with a sentence, and everything else is taken."""

import random
import string
import subprocess
import sys
from importlib.util import find_spec

import pytest

from clinic.config import EXAMPLES, Config, ConfigError
from tests.conventions.test_migrations import MIGRATIONS

ROOT = MIGRATIONS.parent


@pytest.fixture
def good(authority):
    """What a clinic in production sets."""
    return {
        "CHAIRSIDE_MODE": "production",
        "DATABASE_URL": "mysql://chairside:N7vQ2mZr8KpLw4Xt@db.clinic.test:3306/chairside",
        "DATABASE_CA": str(authority / "ca.pem"),
        "SECRET_KEY": "q7Zk1vR9sN4xB8mW2cJ6tY0hL5pD3gFa",
        "AUDIT_KEY": "H2nV8kT5wQ1rX9zC4mB7jL0yP6sD3gFe",
        "S3_ENDPOINT": "https://account.r2.cloudflarestorage.com",
        "S3_BUCKET": "chairside-files",
        "S3_ACCESS_KEY": "b1946ac92492d2347c6235b4d2611184",
        "S3_SECRET_KEY": "591785b794601e212b260e25925636fd",
        "TRUSTED_HOSTS": "clinic.school.test, www.clinic.school.test",
    }


def refusal(env):
    with pytest.raises(ConfigError) as refused:
        Config.from_env(env)
    return str(refused.value)


def test_a_full_environment_is_taken(good):
    config = Config.from_env(good)
    assert config.trusted_hosts == ("clinic.school.test", "www.clinic.school.test")
    assert config.secure_cookies
    assert config.sqlalchemy_url().startswith("mysql+pymysql://chairside:")


def test_a_random_key_is_no_example():
    """A clinic that makes its own keys starts: of so many keys, each with 64 characters, none looks like an example."""
    sure = random.Random(20261121)
    alphabet = string.ascii_letters + string.digits + "-_"
    assert not [key for _ in range(5_000) if EXAMPLES.search(key := "".join(sure.choices(alphabet, k=64)))]


@pytest.mark.parametrize(
    "name",
    [
        *("DATABASE_URL", "DATABASE_CA", "SECRET_KEY", "AUDIT_KEY", "TRUSTED_HOSTS"),
        *("S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY"),
    ],
)
@pytest.mark.parametrize("value", [None, "", "   "])
def test_a_missing_value_is_named(good, name, value):
    del good[name]
    assert name in refusal(good | ({} if value is None else {name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "tooshort"),
        ("SECRET_KEY", "change-me-change-me-change-me-change-me"),
        ("SECRET_KEY", "x" * 40),
        ("SECRET_KEY", "abababababababababababababababababab"),
        ("AUDIT_KEY", "this-is-an-example-key-of-some-length-here"),
        ("AUDIT_KEY", "0123456789012345678901234567890123456789"),
        ("S3_SECRET_KEY", "your-secret-here"),
        ("S3_ACCESS_KEY", "changeme"),
        ("DATABASE_URL", "mysql://chairside:password@db:3306/chairside"),
        ("DATABASE_URL", "mysql://chairside@db:3306/chairside"),
    ],
)
def test_an_example_value_is_refused_and_not_repeated(good, name, value):
    said = refusal(good | {name: value})
    assert name in said
    assert value not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHAIRSIDE_MODE", "prod"),
        ("DATABASE_URL", "db.clinic.test"),
        ("DATABASE_URL", "oracle://a:N7vQ2mZr8KpLw4Xt@db/chairside"),
        ("DATABASE_URL", "mysql://a:N7vQ2mZr8KpLw4Xt@db:port/chairside"),
        ("DATABASE_URL", "mysql://a:N7vQ2mZr8KpLw4Xt@db:3306/"),
        ("DATABASE_URL", "mysql://a:N7vQ2mZr8KpLw4Xt@db:3306/chairside?ssl_disabled=true"),
        ("DATABASE_URL", "mysql://a:N7vQ2mZr8KpLw4Xt@db:3306/chairside?ssl_verify_cert=false"),
        ("DATABASE_CA", "/nowhere/ca.pem"),
        ("DATABASE_CA", __file__),
        ("DATABASE_TLS", "maybe"),
        ("DATABASE_TLS", "off"),  # together with DATABASE_CA
        ("DATABASE_POOL", "many"),
        ("DATABASE_POOL", "0"),
        ("S3_ENDPOINT", "account.r2.cloudflarestorage.com"),
        ("S3_ENDPOINT", "ftp://store"),
        ("S3_ENDPOINT", "https://store:port"),
        ("S3_ENDPOINT", "http://store:8333"),
        ("S3_BUCKET", "Chairside Files"),
        ("S3_BUCKET", "ab"),
        ("TRUSTED_HOSTS", "https://clinic.school.test"),
        ("TRUSTED_HOSTS", "*"),
        ("TRUSTED_HOSTS", "clinic.school.test:443"),
        ("PROXY_HOPS", "one"),
        ("PROXY_HOPS", "-1"),
        ("SECURE_COOKIES", "yes"),
        ("SMTP_URL", "mail.school.test"),
        ("SMTP_URL", "smtp://mail.school.test:587"),  # without MAIL_FROM
    ],
)
def test_a_malformed_value_is_refused(good, name, value):
    said = refusal(good | {name: value})
    assert name in said or "MAIL_FROM" in said


def test_production_refuses_sqlite(good):
    assert "SQLite" in refusal(good | {"DATABASE_URL": "sqlite:////var/clinic.sqlite"})


def test_production_refuses_one_key_for_two_purposes(good):
    assert "AUDIT_KEY" in refusal(good | {"AUDIT_KEY": good["SECRET_KEY"]})


def test_every_fault_is_said_at_once():
    said = refusal({"CHAIRSIDE_MODE": "production"})
    for name in ("DATABASE_URL", "SECRET_KEY", "AUDIT_KEY", "S3_ENDPOINT", "S3_BUCKET", "TRUSTED_HOSTS"):
        assert name in said


def test_a_private_network_can_do_without_tls(good):
    del good["DATABASE_CA"]
    config = Config.from_env(good | {"DATABASE_TLS": "off", "S3_TLS": "off", "S3_ENDPOINT": "http://store:8333"})
    assert "ssl_ca" not in config.engine_options()["connect_args"]


def test_a_providers_own_words_on_tls_do_not_weaken_ours(good):
    config = Config.from_env(good | {"DATABASE_URL": good["DATABASE_URL"] + "?ssl-mode=DISABLED"})
    assert "ssl" not in config.sqlalchemy_url()
    assert config.engine_options()["connect_args"]["ssl_verify_identity"] is True


def test_postgresql_is_taken_where_its_driver_is(good):
    good["DATABASE_URL"] = "postgresql://chairside:N7vQ2mZr8KpLw4Xt@db.clinic.test/chairside"
    if find_spec("psycopg") is None:
        assert "psycopg" in refusal(good)
    else:
        assert Config.from_env(good).engine_options()["connect_args"]["sslmode"] == "verify-full"


def test_secrets_are_not_in_the_representation(good):
    shown = repr(Config.from_env(good))
    for name in ("SECRET_KEY", "AUDIT_KEY", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        assert good[name] not in shown
    assert "N7vQ2mZr8KpLw4Xt" not in shown


def test_the_application_ends_with_the_sentences_and_no_traceback():
    done = subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "CHAIRSIDE_MODE": "production"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "DATABASE_URL is missing" in done.stderr
    assert "Traceback" not in done.stderr
