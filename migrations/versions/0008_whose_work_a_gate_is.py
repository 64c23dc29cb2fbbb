"""whose work was laid before a supervisor"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _foreign_keys("OFF")
    with op.batch_alter_table("gate") as gate:
        gate.add_column(sa.Column("student_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        gate.create_foreign_key(op.f("fk_gate_student_id"), "user", ["student_id"], ["id"], ondelete="RESTRICT")
        gate.create_index("ix_gate_student", ["student_id", "kind", "status"])
    _foreign_keys("ON")
    op.execute("UPDATE gate SET student_id = (SELECT visit.student_id FROM visit WHERE visit.id = gate.visit_id)")
    op.execute(
        "UPDATE gate SET student_id = prepared_by_id WHERE student_id IS NULL "
        "AND prepared_by_id IN (SELECT id FROM user WHERE role = 'student')"
    )


def downgrade() -> None:
    _foreign_keys("OFF")
    with op.batch_alter_table("gate") as gate:
        gate.drop_constraint(op.f("fk_gate_student_id"), type_="foreignkey")
        gate.drop_index("ix_gate_student")
        gate.drop_column("student_id")
    _foreign_keys("ON")


def _foreign_keys(state: str) -> None:
    """SQLite makes the table anew, to whose rows others refer meanwhile; it hears of this only between two transactions."""
    if op.get_context().dialect.name != "sqlite":
        return
    connection = op.get_bind().connection.driver_connection
    connection.commit()
    connection.execute(f"PRAGMA foreign_keys={state}")
    connection.execute("BEGIN")
