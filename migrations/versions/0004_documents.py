"""documents"""

import sqlalchemy as sa
from alembic import op

from clinic.models.base import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "document",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("visit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("replaces_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "category",
            sa.Enum(
                "radiograph",
                "photograph",
                "scan",
                "letter",
                "consent",
                "other",
                name="category",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "projection",
            sa.Enum(
                "periapical",
                "bitewing",
                "occlusal",
                "panoramic",
                "cephalometric",
                "volume",
                name="projection",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("teeth", sa.String(length=200), nullable=False),
        sa.Column("taken_on", sa.Date(), nullable=True),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "available",
                "failed",
                "quarantined",
                "deleted",
                "purged",
                name="documentstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("why", sa.String(length=300), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("once", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("remarks", sa.String(length=300), nullable=False),
        sa.Column("uploaded_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("available_at", UtcDateTime(), nullable=True),
        sa.Column("checked_at", UtcDateTime(), nullable=True),
        sa.Column("deleted_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("purge_asked_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("purge_asked_at", UtcDateTime(), nullable=True),
        sa.Column("purge_reason", sa.String(length=300), nullable=False),
        sa.Column("purged_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("purged_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(status = 'purged') = (purged_at IS NOT NULL)", name=op.f("ck_document_purged_when")),
        sa.CheckConstraint(
            "projection IS NULL OR category = 'radiograph'", name=op.f("ck_document_projection_of_a_radiograph")
        ),
        sa.CheckConstraint("status <> 'deleted' OR deleted_at IS NOT NULL", name=op.f("ck_document_deleted_when")),
        sa.CheckConstraint(
            "status NOT IN ('available', 'deleted') OR sha256 <> ''", name=op.f("ck_document_digest_of_what_is_there")
        ),
        sa.CheckConstraint(
            "purged_by_id IS NULL OR purged_by_id <> purge_asked_by_id", name=op.f("ck_document_purged_by_two")
        ),
        sa.ForeignKeyConstraint(
            ["deleted_by_id"], ["user.id"], name=op.f("fk_document_deleted_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_document_patient_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["purge_asked_by_id"], ["user.id"], name=op.f("fk_document_purge_asked_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["purged_by_id"], ["user.id"], name=op.f("fk_document_purged_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["document.id"], name=op.f("fk_document_replaces_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["uploaded_by_id"], ["user.id"], name=op.f("fk_document_uploaded_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_document_visit_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint("key", name=op.f("uq_document_key")),
        sa.UniqueConstraint("once", name=op.f("uq_document_once")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_document_patient", "document", ["patient_id", "id"], unique=False)
    op.create_index(op.f("ix_document_replaces_id"), "document", ["replaces_id"], unique=False)
    op.create_index("ix_document_status", "document", ["status", "id"], unique=False)
    op.create_index("ix_document_uploader", "document", ["uploaded_by_id", "created_at"], unique=False)
    op.create_index(op.f("ix_document_visit_id"), "document", ["visit_id"], unique=False)


def downgrade() -> None:
    op.drop_table("document")
