"""treatment plans"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from clinic.models.base import UtcDateTime

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "plan",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "sent",
                "returned",
                "approved",
                "accepted",
                "superseded",
                name="planstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("department_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("begun_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("status = 'draft' OR department_id IS NOT NULL", name=op.f("ck_plan_of_a_department")),
        sa.ForeignKeyConstraint(["begun_by_id"], ["user.id"], name=op.f("fk_plan_begun_by_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["changed_by_id"], ["user.id"], name=op.f("fk_plan_changed_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_plan_department_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_plan_patient_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        sa.UniqueConstraint("patient_id", "number", name=op.f("uq_plan_patient_id_number")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_plan_department", "plan", ["department_id", "status"], unique=False)
    op.create_table(
        "estimate",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column(
            "shown",
            sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("sent_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=False),
        sa.Column(
            "decision",
            sa.Enum(
                "approved",
                "returned",
                "withdrawn",
                name="plandecision",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("approved", sa.String(length=120), nullable=False),
        sa.Column("decided_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.CheckConstraint(
            "decided_by_id IS NULL OR decision = 'withdrawn' OR decided_by_id <> sent_by_id",
            name=op.f("ck_estimate_not_ones_own"),
        ),
        sa.CheckConstraint(
            "decision IS NULL OR (decision = 'approved') = (approved <> '')", name=op.f("ck_estimate_approved_what")
        ),
        sa.CheckConstraint("(decision IS NULL) = (decided_by_id IS NULL)", name=op.f("ck_estimate_decided_by_whom")),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["user.id"], name=op.f("fk_estimate_decided_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_estimate_patient_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_estimate_plan_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["sent_by_id"], ["user.id"], name=op.f("fk_estimate_sent_by_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_estimate")),
        sa.UniqueConstraint("code", name=op.f("uq_estimate_code")),
        sa.UniqueConstraint("plan_id", "number", name=op.f("uq_estimate_plan_id_number")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_estimate_patient", "estimate", ["patient_id", "sent_at"], unique=False)
    op.create_table(
        "plan_option",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("advantages", sa.String(length=1000), nullable=False),
        sa.Column("risks", sa.String(length=1000), nullable=False),
        sa.Column("written_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_plan_option_plan_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["written_by_id"], ["user.id"], name=op.f("fk_plan_option_written_by_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_option")),
        sa.UniqueConstraint("plan_id", "place", name=op.f("uq_plan_option_plan_id_place")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "acceptance",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("estimate_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("option_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("signed_by", sa.String(length=120), nullable=False),
        sa.Column("on_paper", sa.Boolean(), nullable=False),
        sa.Column(
            "image",
            sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mariadb").with_variant(mysql.MEDIUMBLOB(), "mysql"),
            nullable=True,
        ),
        sa.Column("image_sha256", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("witnessed_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("accepted_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("(image IS NULL) = (image_sha256 = '')", name=op.f("ck_acceptance_image_with_digest")),
        sa.CheckConstraint("on_paper = (image IS NULL)", name=op.f("ck_acceptance_signed_where")),
        sa.ForeignKeyConstraint(
            ["estimate_id"], ["estimate.id"], name=op.f("fk_acceptance_estimate_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["option_id"], ["plan_option.id"], name=op.f("fk_acceptance_option_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_acceptance_patient_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_acceptance_plan_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["witnessed_by_id"], ["user.id"], name=op.f("fk_acceptance_witnessed_by_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acceptance")),
        sa.UniqueConstraint("estimate_id", name=op.f("uq_acceptance_estimate_id")),
        sa.UniqueConstraint("plan_id", name=op.f("uq_acceptance_plan_id")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_acceptance_option_id"), "acceptance", ["option_id"], unique=False)
    op.create_index(op.f("ix_acceptance_patient_id"), "acceptance", ["patient_id"], unique=False)
    op.create_table(
        "plan_item",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("option_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("teeth", sa.String(length=500), nullable=False),
        sa.Column("surfaces", sa.String(length=8), nullable=False),
        sa.Column("jaw", sa.String(length=8), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("remarks", sa.String(length=1000), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("after_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("problem_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("written_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("teeth <> '' OR jaw <> ''", name=op.f("ck_plan_item_somewhere")),
        sa.CheckConstraint(
            "price >= 0 AND minutes >= 0 AND visits >= 0 AND phase >= 1", name=op.f("ck_plan_item_amounts")
        ),
        sa.ForeignKeyConstraint(
            ["after_id"], ["plan_item.id"], name=op.f("fk_plan_item_after_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["chart_entry.id"], name=op.f("fk_plan_item_entry_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["option_id"], ["plan_option.id"], name=op.f("fk_plan_item_option_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["problem.id"], name=op.f("fk_plan_item_problem_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["written_by_id"], ["user.id"], name=op.f("fk_plan_item_written_by_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_item")),
        sa.UniqueConstraint("option_id", "place", name=op.f("uq_plan_item_option_id_place")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_plan_item_after_id"), "plan_item", ["after_id"], unique=False)
    op.create_index(op.f("ix_plan_item_entry_id"), "plan_item", ["entry_id"], unique=False)
    op.create_index(op.f("ix_plan_item_problem_id"), "plan_item", ["problem_id"], unique=False)


def downgrade() -> None:
    op.drop_table("acceptance")
    op.drop_table("plan_item")
    op.drop_table("plan_option")
    op.drop_table("estimate")
    op.drop_table("plan")
