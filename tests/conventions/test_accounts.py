"""The application's own database account: all the clinic needs, and of the trail and of what is written on charts and marked on
pictures to read and to add, no more (safety.md B6, D1, D3)."""

import os
from datetime import timedelta

import pymysql
import pytest
from flask_migrate import upgrade
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from clinic import clock, create_app, grants, settings
from clinic.extensions import db
from clinic.models import VersionReason
from clinic.operations.chart import chart_stroke, restore_version
from clinic.operations.chart_versions import cut_version, verify_versions
from clinic.operations.sign_off import approve_chart, send_chart
from tests.conftest import fresh_mariadb, make_config
from tests.conventions.test_migrations import MIGRATIONS
from tests.ledger import fill
from tests.operations.test_chart import caries

DENIED = 1142


@pytest.fixture
def engine_name():
    return "own account"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET sentence = 'Nothing'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "DROP TABLE audit_event",
        "REPLACE INTO audit_event SELECT * FROM audit_event",
        "INSERT INTO audit_event SELECT * FROM audit_event ON DUPLICATE KEY UPDATE sentence = 'Nothing'",
        "ALTER TABLE audit_event ADD COLUMN more INT",
        "CREATE TRIGGER other BEFORE INSERT ON audit_event FOR EACH ROW SET NEW.sentence = 'Nothing'",
        "RENAME TABLE audit_event TO other",
        "DELETE FROM audit_head",
        "INSERT INTO audit_archive SELECT * FROM audit_archive",
        "DELETE FROM audit_archive",
        "UPDATE chart_entry SET status = 'completed'",
        "UPDATE chart_entry SET supersedes_id = NULL, first_id = NULL",
        "DELETE FROM chart_entry",
        "TRUNCATE chart_entry",
        "REPLACE INTO chart_entry SELECT * FROM chart_entry",
        "INSERT INTO chart_entry SELECT * FROM chart_entry ON DUPLICATE KEY UPDATE teeth = '11'",
        "ALTER TABLE chart_entry DROP COLUMN reason",
        "UPDATE chart_version SET body = ''",
        "UPDATE chart_version SET sha256 = before_sha256",
        "DELETE FROM chart_version",
        "TRUNCATE chart_version",
        "DROP TABLE chart_version",
        "REPLACE INTO chart_version SELECT * FROM chart_version",
        "UPDATE tooth_place SET x = 1",
        "DELETE FROM tooth_place",
    ],
)
def test_what_is_kept_cannot_be_changed(context, statement):
    with db.engine.connect() as connection, pytest.raises(DBAPIError) as refused:
        connection.execute(text(statement))
    assert refused.value.orig.args[0] == DENIED


def test_a_chart_is_written_with_the_own_account(session, world):
    """Charting, approving and going back need no more than that."""
    kamal, silva, fernando = world.user("kamal"), world.user("silva"), world.patient("fernando")
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
    sent = send_chart(fernando, words="", seen=1, actor=kamal)
    approve_chart(sent.id, version=sent.version, actor=silva)
    chart_stroke(fernando, entries=[caries("46")], seen=1, actor=kamal)
    restore_version(fernando, number=1, seen=2, reason="Another patient's", actor=kamal)
    cut_version(fernando, why=VersionReason.NAMED, name="As approved", actor=kamal)
    db.session.commit()
    assert verify_versions().is_good


def test_an_account_that_may_too_much_is_noticed(session, engines):
    assert grants.excess() == set()
    database, account = db.engine.url.database, db.engine.url.username
    by_root(f"GRANT UPDATE (sentence), DELETE ON `{database}`.audit_event TO {account}")
    assert grants.excess() == {"UPDATE", "DELETE"}
    by_root(f"REVOKE UPDATE (sentence), DELETE ON `{database}`.audit_event FROM {account}")
    for table in ("chart_entry", "chart_version", "tooth_place"):
        by_root(f"GRANT UPDATE ON `{database}`.{table} TO {account}")
        assert grants.excess() == {"UPDATE"}
        by_root(f"REVOKE UPDATE ON `{database}`.{table} FROM {account}")
    by_root(
        f"GRANT ALL ON `{database}`.* TO {account}",
    )
    assert grants.excess() == {"ALL PRIVILEGES"}
    by_root(*grants.statements(account, "%"))
    assert grants.excess() == set()


def by_root(*statements):
    port = int(os.environ["CHAIRSIDE_TEST_MARIADB"])
    with pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True) as root, root.cursor() as cursor:
        for statement in statements:
            try:
                cursor.execute(statement)
            except pymysql.err.MySQLError as error:
                if error.args[0] not in grants.NO_SUCH_GRANT | {grants.NO_SUCH_TABLE}:
                    raise


def test_a_deployment_with_two_accounts(worker, shelf):
    """Migrate, grant, run, archive: the owner's account does what the application's cannot."""
    url = fresh_mariadb("accounts")
    account = f"accounts_{worker}_two"
    by_root(f"DROP USER IF EXISTS {account}", f"CREATE USER {account} IDENTIFIED BY 'narrow'")
    app = create_app(
        make_config(url.replace("//root@", f"//{account}:narrow@"), migration_database_url=url, audit_key="z" * 40)
    )
    flask = app.test_cli_runner().invoke
    with app.app_context():
        upgrade(str(MIGRATIONS))
        shown = flask(args=["database-grants", account])
        assert f"GRANT SELECT, INSERT ON `accounts_{worker}`.`audit_event` TO '{account}'@'%';" in shown.output
        with pytest.raises(DBAPIError):
            db.session.execute(text("SELECT * FROM audit_event"))
        db.session.rollback()
        assert flask(args=["database-grants", account, "--apply"]).exit_code == 0
        settings.forget()
        fill(30)
        db.session.commit()
        assert flask(args=["verify-audit"]).output.startswith("Events 1 to 30 are whole")
        with clock.frozen(clock.now() + timedelta(days=3700)):
            result = flask(args=["archive-audit"])
        assert result.exit_code == 0, result.output
        assert db.session.scalars(text("SELECT id FROM audit_event")).all() == [31]
        db.session.rollback()
        by_root(f"GRANT DELETE ON `accounts_{worker}`.audit_event TO {account}")
        assert "may DELETE" in flask(args=["verify-audit", "--archives"]).output
        db.session.remove()
        db.engine.dispose()


def test_one_machine_has_no_accounts(tmp_path):
    app = create_app(make_config(f"sqlite:///{tmp_path}/a.sqlite"))
    result = app.test_cli_runner().invoke(args=["database-grants", "chairside"])
    assert result.exit_code == 1
    assert "no accounts" in result.output
    with app.app_context():
        assert grants.excess() == set()
        db.engine.dispose()
