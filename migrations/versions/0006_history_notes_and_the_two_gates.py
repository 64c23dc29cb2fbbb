"""history, notes and the two gates"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from clinic import clock
from clinic.models.base import UtcDateTime
from clinic.notes.shipped import SHIPPED

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "extension",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("student_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("given_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["given_by_id"], ["user.id"], name=op.f("fk_extension_given_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["student_id"], ["user.id"], name=op.f("fk_extension_student_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extension")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_extension_student", "extension", ["student_id", "until"], unique=False)
    op.create_table(
        "history_form",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column(
            "body",
            sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("published_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["published_by_id"], ["user.id"], name=op.f("fk_history_form_published_by_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history_form")),
        sa.UniqueConstraint("code", "number", name=op.f("uq_history_form_code_number")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    templates = op.create_table(
        "note_template",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "progress",
                "treatment",
                "observation",
                "diagnosis",
                "supervisor_review",
                name="notetype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user.id"], name=op.f("fk_note_template_created_by_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_note_template")),
        sa.UniqueConstraint("name", name=op.f("uq_note_template_name")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    # A clinic begins with some; from then on they are its own.
    op.bulk_insert(
        templates,
        [
            {"name": name, "type": type, "text": text, "created_at": clock.now(), "version": 1}
            for name, type, text in SHIPPED
        ],
    )
    op.create_table(
        "gate",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("visit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("start", "dismiss", name="gatekind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "shown",
            sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("department_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("prepared_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("prepared_at", UtcDateTime(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "approved",
                "returned",
                "withdrawn",
                name="gatestatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("decided_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("session_of_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("open_key", sa.String(length=40), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(status = 'pending') = (open_key IS NOT NULL)", name=op.f("ck_gate_open_while_pending")),
        sa.CheckConstraint(
            "decided_by_id IS NULL OR decided_by_id <> prepared_by_id", name=op.f("ck_gate_not_ones_own")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["user.id"], name=op.f("fk_gate_decided_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_gate_department_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_gate_patient_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["prepared_by_id"], ["user.id"], name=op.f("fk_gate_prepared_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["session_of_id"], ["user.id"], name=op.f("fk_gate_session_of_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_gate_visit_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gate")),
        sa.UniqueConstraint("open_key", name=op.f("uq_gate_open_key")),
        sa.UniqueConstraint("visit_id", "kind", "number", name=op.f("uq_gate_visit_id_kind_number")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_gate_department", "gate", ["department_id", "status", "prepared_at"], unique=False)
    op.create_index("ix_gate_patient", "gate", ["patient_id", "id"], unique=False)
    op.create_table(
        "kiosk",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("form_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("visit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("handed_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("handed_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["form_id"], ["history_form.id"], name=op.f("fk_kiosk_form_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["handed_by_id"], ["user.id"], name=op.f("fk_kiosk_handed_by_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_kiosk_patient_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_kiosk_visit_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kiosk")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_kiosk_token_hash")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_kiosk_patient_id"), "kiosk", ["patient_id"], unique=False)
    op.create_table(
        "note",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("visit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("addendum_to_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "type",
            sa.Enum(
                "progress",
                "treatment",
                "observation",
                "diagnosis",
                "supervisor_review",
                name="notetype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "execution",
            sa.Enum(
                "planned",
                "in_progress",
                "completed",
                "partial",
                "failed",
                "cancelled",
                name="execution",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("procedure", sa.String(length=200), nullable=False),
        sa.Column("teeth", sa.String(length=200), nullable=False),
        sa.Column(
            "text",
            sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("outcome", sa.String(length=1000), nullable=False),
        sa.Column("author_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("department_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "signed",
                "approved",
                "returned",
                "in_error",
                name="notestatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.Column("error_reason", sa.String(length=500), nullable=False),
        sa.Column("error_said_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("error_said_at", UtcDateTime(), nullable=True),
        sa.Column("error_agreed_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("error_agreed_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'in_error') = (error_agreed_at IS NOT NULL)", name=op.f("ck_note_in_error_by_two")
        ),
        sa.CheckConstraint(
            "error_agreed_by_id IS NULL OR error_agreed_by_id <> error_said_by_id", name=op.f("ck_note_two_people")
        ),
        sa.ForeignKeyConstraint(
            ["addendum_to_id"], ["note.id"], name=op.f("fk_note_addendum_to_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_note_author_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_note_department_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["error_agreed_by_id"], ["user.id"], name=op.f("fk_note_error_agreed_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["error_said_by_id"], ["user.id"], name=op.f("fk_note_error_said_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_note_patient_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_note_visit_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_note")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_note_addendum_to_id"), "note", ["addendum_to_id"], unique=False)
    op.create_index("ix_note_author", "note", ["author_id", "status"], unique=False)
    op.create_index("ix_note_department", "note", ["department_id", "status", "signed_at"], unique=False)
    op.create_index("ix_note_patient", "note", ["patient_id", "id"], unique=False)
    op.create_index(op.f("ix_note_visit_id"), "note", ["visit_id"], unique=False)
    op.create_table(
        "filling",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("form_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "answers",
            sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("filled_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kiosk_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("filled_by_id IS NOT NULL OR kiosk_id IS NOT NULL", name=op.f("ck_filling_by_whom")),
        sa.ForeignKeyConstraint(
            ["filled_by_id"], ["user.id"], name=op.f("fk_filling_filled_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["form_id"], ["history_form.id"], name=op.f("fk_filling_form_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["kiosk_id"], ["kiosk.id"], name=op.f("fk_filling_kiosk_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_filling_patient_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_filling_visit_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_filling")),
        sa.UniqueConstraint("kiosk_id", name=op.f("uq_filling_kiosk_id")),
        sa.UniqueConstraint("patient_id", "code", "number", name=op.f("uq_filling_patient_id_code_number")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_filling_form_id"), "filling", ["form_id"], unique=False)
    op.create_index(op.f("ix_filling_visit_id"), "filling", ["visit_id"], unique=False)
    op.create_table(
        "gate_item",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("gate_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "approved",
                "returned",
                "withdrawn",
                name="gatestatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["gate_id"], ["gate.id"], name=op.f("fk_gate_item_gate_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gate_item")),
        sa.UniqueConstraint("gate_id", "subject", name=op.f("uq_gate_item_gate_id_subject")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_gate_item_subject", "gate_item", ["subject"], unique=False)
    op.create_table(
        "note_signing",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("note_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "signed",
            sa.Text().with_variant(mysql.MEDIUMTEXT(), "mariadb").with_variant(mysql.MEDIUMTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("signed_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.Column(
            "decision",
            sa.Enum("approved", "returned", name="decision", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column("decided_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.CheckConstraint(
            "(decision IS NULL) = (decided_by_id IS NULL)", name=op.f("ck_note_signing_decided_by_whom")
        ),
        sa.CheckConstraint(
            "decided_by_id IS NULL OR decided_by_id <> signed_by_id", name=op.f("ck_note_signing_not_ones_own")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["user.id"], name=op.f("fk_note_signing_decided_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["note_id"], ["note.id"], name=op.f("fk_note_signing_note_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["signed_by_id"], ["user.id"], name=op.f("fk_note_signing_signed_by_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_note_signing")),
        sa.UniqueConstraint("note_id", "number", name=op.f("uq_note_signing_note_id_number")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "history_review",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("filling_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("patient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("visit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reviewed_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["filling_id"], ["filling.id"], name=op.f("fk_history_review_filling_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patient.id"], name=op.f("fk_history_review_patient_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["reviewed_by_id"], ["user.id"], name=op.f("fk_history_review_reviewed_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["visit_id"], ["visit.id"], name=op.f("fk_history_review_visit_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history_review")),
        sa.UniqueConstraint(
            "filling_id", "day", "reviewed_by_id", name=op.f("uq_history_review_filling_id_day_reviewed_by_id")
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_history_review_patient", "history_review", ["patient_id", "day"], unique=False)
    op.create_index(op.f("ix_history_review_visit_id"), "history_review", ["visit_id"], unique=False)
    op.create_table(
        "tooth_match",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("gate_item_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entered", sa.String(length=20), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("second_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("entered_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "agrees OR (second_id IS NOT NULL AND reason <> '')", name=op.f("ck_tooth_match_second_person")
        ),
        sa.CheckConstraint("second_id IS NULL OR second_id <> entered_by_id", name=op.f("ck_tooth_match_two_people")),
        sa.ForeignKeyConstraint(
            ["entered_by_id"], ["user.id"], name=op.f("fk_tooth_match_entered_by_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["gate_item_id"], ["gate_item.id"], name=op.f("fk_tooth_match_gate_item_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["second_id"], ["user.id"], name=op.f("fk_tooth_match_second_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tooth_match")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )


def downgrade() -> None:
    op.drop_table("tooth_match")
    op.drop_table("history_review")
    op.drop_table("note_signing")
    op.drop_table("gate_item")
    op.drop_table("filling")
    op.drop_table("note")
    op.drop_table("kiosk")
    op.drop_table("gate")
    op.drop_table("note_template")
    op.drop_table("history_form")
    op.drop_table("extension")
