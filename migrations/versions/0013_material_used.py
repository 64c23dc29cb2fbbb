"""material used on patients"""

import sqlalchemy as sa
from alembic import op

from clinic.models.base import UtcDateTime

revision = "0013"
down_revision = "0012"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "material_use",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("visit_id", ID, nullable=False),
        sa.Column("material", sa.String(length=120), nullable=False),
        sa.Column("lot", sa.String(length=40), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("recorded_by_id", ID, nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("taken_back_by_id", ID, nullable=True),
        sa.Column("taken_back_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 999", name=op.f("ck_material_use_quantity")),
        sa.CheckConstraint(
            "(taken_back_at IS NULL) = (taken_back_by_id IS NULL)", name=op.f("ck_material_use_taken_back_when")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_material_use_patient_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by_id"], ["user.id"], name=op.f("fk_material_use_recorded_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["taken_back_by_id"], ["user.id"], name=op.f("fk_material_use_taken_back_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_material_use_visit_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_material_use")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_material_use_patient", "material_use", ["patient_id", "id"], unique=False)
    op.create_index("ix_material_use_recorded", "material_use", ["recorded_at"], unique=False)
    op.create_index("ix_material_use_visit", "material_use", ["visit_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("material_use")
