"""cases and tasks"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from clinic.models.base import UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "student_case",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("department_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("student_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("supervisor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("words", sa.String(length=1000), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "submitted",
                "returned",
                "verified",
                "closed",
                name="casestatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("submitted_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("submitted_at", UtcDateTime(), nullable=True),
        sa.Column("verified_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("verified_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("open_key", sa.String(length=60), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_student_case_closed_when")),
        sa.CheckConstraint(
            "(status IN ('open', 'submitted', 'returned')) = (open_key IS NOT NULL)",
            name=op.f("ck_student_case_open_key_when"),
        ),
        sa.CheckConstraint(
            "status <> 'verified' OR verified_at IS NOT NULL", name=op.f("ck_student_case_verified_when")
        ),
        sa.CheckConstraint(
            "(verified_at IS NULL) = (verified_by_id IS NULL)", name=op.f("ck_student_case_verified_by_whom")
        ),
        sa.CheckConstraint("student_id <> supervisor_id", name=op.f("ck_student_case_two_people")),
        sa.CheckConstraint(
            "verified_by_id IS NULL OR verified_by_id <> submitted_by_id", name=op.f("ck_student_case_not_ones_own")
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_student_case_department_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_student_case_patient_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["user.id"], name=op.f("fk_student_case_student_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["submitted_by_id"], ["user.id"], name=op.f("fk_student_case_submitted_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["supervisor_id"], ["user.id"], name=op.f("fk_student_case_supervisor_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["verified_by_id"], ["user.id"], name=op.f("fk_student_case_verified_by_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_student_case")),
        sa.UniqueConstraint("open_key", name=op.f("uq_student_case_open_key")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_student_case_department", "student_case", ["department_id", "status", "id"], unique=False)
    op.create_index("ix_student_case_patient", "student_case", ["patient_id", "id"], unique=False)
    op.create_index("ix_student_case_student", "student_case", ["student_id", "status", "id"], unique=False)
    op.create_index(op.f("ix_student_case_supervisor_id"), "student_case", ["supervisor_id"], unique=False)
    op.create_table(
        "case_task",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("words", sa.String(length=1000), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("teeth", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "assigned",
                "in_progress",
                "completed",
                "returned",
                "reviewed",
                name="taskstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("completed_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("completed_at", UtcDateTime(), nullable=True),
        sa.Column("reviewed_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reviewed_at", UtcDateTime(), nullable=True),
        sa.Column("review", sa.String(length=2000), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'reviewed') = (reviewed_at IS NOT NULL)", name=op.f("ck_case_task_reviewed_when")
        ),
        sa.CheckConstraint("review = '' OR status = 'reviewed'", name=op.f("ck_case_task_review_when")),
        sa.CheckConstraint(
            "status NOT IN ('completed', 'reviewed') OR completed_at IS NOT NULL",
            name=op.f("ck_case_task_completed_when"),
        ),
        sa.CheckConstraint(
            "(reviewed_at IS NULL) = (reviewed_by_id IS NULL)", name=op.f("ck_case_task_reviewed_by_whom")
        ),
        sa.CheckConstraint(
            "reviewed_by_id IS NULL OR reviewed_by_id <> completed_by_id", name=op.f("ck_case_task_not_ones_own")
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["student_case.id"], name=op.f("fk_case_task_case_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["completed_by_id"], ["user.id"], name=op.f("fk_case_task_completed_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["reviewed_by_id"], ["user.id"], name=op.f("fk_case_task_reviewed_by_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_task")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_case_task_case_id_number")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_case_task_status", "case_task", ["status", "due_on", "id"], unique=False)
    op.create_table(
        "case_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "act",
            sa.Enum(
                "opened",
                "assigned",
                "begun",
                "completed",
                "reviewed",
                "task_returned",
                "commented",
                "submitted",
                "verified",
                "returned",
                "taken_up",
                "passed_on",
                "closed",
                name="caseact",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("done_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("words", sa.String(length=2000), nullable=False),
        sa.Column(
            "said",
            sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["student_case.id"], name=op.f("fk_case_log_case_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["done_by_id"], ["user.id"], name=op.f("fk_case_log_done_by_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["task_id"], ["case_task.id"], name=op.f("fk_case_log_task_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_log")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_case_log_case_id_number")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_case_log_task_id"), "case_log", ["task_id"], unique=False)


def downgrade() -> None:
    op.drop_table("case_log")
    op.drop_table("case_task")
    op.drop_table("student_case")
