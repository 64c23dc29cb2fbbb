"""the dental chart"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from clinic.models.base import UtcDateTime

revision = "0003"
down_revision = "0002"

NUMBERING = sa.Enum(
    "fdi", "universal", "palmer", name="numbering", native_enum=False, create_constraint=True, length=32
)


def upgrade() -> None:
    op.create_table(
        "own_kind",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("word", sa.String(length=20), nullable=False),
        sa.Column(
            "scope",
            sa.Enum(
                "surfaces",
                "whole",
                "root",
                "span",
                "arch",
                name="scope",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("is_treatment", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.String(length=20), nullable=False),
        sa.Column("pattern", sa.String(length=20), nullable=False),
        sa.Column("letter", sa.String(length=3), nullable=False),
        sa.Column("icon", sa.String(length=20), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user.id"], name=op.f("fk_own_kind_created_by_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_kind")),
        sa.UniqueConstraint("code", name=op.f("uq_own_kind_code")),
        sa.UniqueConstraint("name", name=op.f("uq_own_kind_name")),
        sa.UniqueConstraint("word", name=op.f("uq_own_kind_word")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "chart",
        sa.Column(
            "patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "dentition",
            sa.Enum(
                "permanent",
                "mixed",
                "primary",
                "edentulous",
                name="dentition",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("base", sa.String(length=255), nullable=False),
        sa.Column("stroke", sa.Integer(), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("begun_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["begun_by_id"], ["user.id"], name=op.f("fk_chart_begun_by_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_chart_patient_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_chart")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "chart_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stroke", sa.Integer(), nullable=False),
        sa.Column("first_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("supersedes_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "finding",
                "option",
                "planned",
                "in_process",
                "completed",
                "existing",
                "referred",
                "entered_in_error",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("teeth", sa.String(length=500), nullable=False),
        sa.Column("surfaces", sa.String(length=8), nullable=False),
        sa.Column("jaw", sa.String(length=8), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("dated", sa.Date(), nullable=False),
        sa.Column("performer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("visit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("entered_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint(
            "status <> 'completed' OR performer_id IS NOT NULL", name=op.f("ck_chart_entry_performer_of_completed")
        ),
        sa.CheckConstraint("surfaces = '' OR teeth <> ''", name=op.f("ck_chart_entry_surface_of_a_tooth")),
        sa.CheckConstraint("teeth <> '' OR jaw <> ''", name=op.f("ck_chart_entry_somewhere")),
        sa.CheckConstraint("(first_id IS NULL) = (supersedes_id IS NULL)", name=op.f("ck_chart_entry_thread")),
        sa.ForeignKeyConstraint(
            ["entered_by_id"], ["user.id"], name=op.f("fk_chart_entry_entered_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["first_id"], ["chart_entry.id"], name=op.f("fk_chart_entry_first_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_chart_entry_patient_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["performer_id"], ["user.id"], name=op.f("fk_chart_entry_performer_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["supersedes_id"], ["chart_entry.id"], name=op.f("fk_chart_entry_supersedes_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_chart_entry_visit_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chart_entry")),
        sa.UniqueConstraint("supersedes_id", name=op.f("uq_chart_entry_supersedes_id")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_chart_entry_kind", "chart_entry", ["kind", "status"], unique=False)
    op.create_index("ix_chart_entry_patient", "chart_entry", ["patient_id", "id"], unique=False)
    op.create_index(op.f("ix_chart_entry_visit_id"), "chart_entry", ["visit_id"], unique=False)
    op.create_table(
        "chart_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "why",
            sa.Enum(
                "first charting",
                "visit completed",
                "sent for approval",
                "named",
                name="versionreason",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("stroke", sa.Integer(), nullable=False),
        sa.Column(
            "body",
            sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mariadb").with_variant(mysql.MEDIUMBLOB(), "mysql"),
            nullable=False,
        ),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("before_sha256", sa.String(length=64), nullable=False),
        sa.Column("check_code", sa.String(length=20), nullable=False),
        sa.Column("visit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("author_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user.id"], name=op.f("fk_chart_version_author_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_chart_version_patient_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["visit_id"], ["visit.id"], name=op.f("fk_chart_version_visit_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chart_version")),
        sa.UniqueConstraint("patient_id", "number", name=op.f("uq_chart_version_patient_id_number")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_chart_version_check_code"), "chart_version", ["check_code"], unique=False)
    op.create_table(
        "sign_off",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chart_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("department_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "approved",
                "returned",
                "withdrawn",
                name="signoffstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("decided_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("open_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'pending') = (open_key IS NOT NULL)", name=op.f("ck_sign_off_open_while_pending")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["user.id"], name=op.f("fk_sign_off_asked_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["chart_version_id"], ["chart_version.id"], name=op.f("fk_sign_off_chart_version_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["user.id"], name=op.f("fk_sign_off_decided_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_sign_off_department_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["open_key"], ["patient.id"], name=op.f("fk_sign_off_open_key"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_sign_off_patient_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_off")),
        sa.UniqueConstraint("chart_version_id", name=op.f("uq_sign_off_chart_version_id")),
        sa.UniqueConstraint("open_key", name=op.f("uq_sign_off_open_key")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_sign_off_department", "sign_off", ["department_id", "status", "asked_at"], unique=False)
    op.create_index("ix_sign_off_patient", "sign_off", ["patient_id", "id"], unique=False)
    with op.batch_alter_table("user") as table:
        table.add_column(sa.Column("numbering", NUMBERING, nullable=False, server_default="fdi"))
        table.add_column(sa.Column("legend", sa.String(length=20), nullable=False, server_default="neutral"))


def downgrade() -> None:
    with op.batch_alter_table("user") as table:
        table.drop_constraint(op.f("ck_user_numbering"), type_="check")
        table.drop_column("legend")
        table.drop_column("numbering")
    op.drop_table("sign_off")
    op.drop_table("chart_version")
    op.drop_table("chart_entry")
    op.drop_table("chart")
    op.drop_table("own_kind")
