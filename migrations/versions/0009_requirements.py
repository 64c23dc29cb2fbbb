"""requirements"""

import sqlalchemy as sa
from alembic import op

from clinic.models.base import UtcDateTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "requirement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("department_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kinds", sa.String(length=1000), nullable=False),
        sa.Column("least_surfaces", sa.SmallInteger(), nullable=False),
        sa.Column(
            "tooth_class",
            sa.Enum(
                "any",
                "anterior",
                "premolar",
                "molar",
                "primary",
                name="toothclass",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("wanted", sa.SmallInteger(), nullable=False),
        sa.Column("cap", sa.SmallInteger(), nullable=True),
        sa.Column("least_mark", sa.SmallInteger(), nullable=True),
        sa.Column("begins", sa.Date(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("begins <= due", name=op.f("ck_requirement_term")),
        sa.CheckConstraint("cap IS NULL OR cap > 0", name=op.f("ck_requirement_cap")),
        sa.CheckConstraint("least_mark IS NULL OR least_mark BETWEEN 1 AND 5", name=op.f("ck_requirement_mark")),
        sa.CheckConstraint("wanted > 0", name=op.f("ck_requirement_something")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user.id"], name=op.f("fk_requirement_created_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_requirement_department_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requirement")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_requirement_group", "requirement", ["department_id", "year", "due", "id"], unique=False)
    op.create_index("ix_chart_entry_performed", "chart_entry", ["status", "performer_id", "dated"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_chart_entry_performed", table_name="chart_entry")
    op.drop_table("requirement")
