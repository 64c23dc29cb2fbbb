"""Documents of a patient as rows: what each is, where its bytes are, and what they must be. The bytes are in the object store."""

import enum
from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, Id, identity, link, one_of, references
from clinic.models.user import Role


class Category(enum.StrEnum):
    RADIOGRAPH = "radiograph"
    PHOTOGRAPH = "photograph"
    SCAN = "scan"  # of a model, a form, a record from elsewhere
    LETTER = "letter"
    CONSENT = "consent"
    OTHER = "other"


PAPERS = (Category.LETTER, Category.CONSENT, Category.SCAN, Category.OTHER)


def categories_of(role: Role) -> tuple[Category, ...]:
    """What people of a role file and find: the front desk papers, for pictures of the mouth are clinical."""
    return PAPERS if role is Role.RECEPTIONIST else tuple(Category)


# What a browser shows in a page.
PICTURES = ("image/jpeg", "image/png", "image/webp")
# What a picture is made of for a page.
PREVIEWED = ("image/tiff", "application/dicom")


class Projection(enum.StrEnum):
    """What kind of radiograph."""

    PERIAPICAL = "periapical"
    BITEWING = "bitewing"
    OCCLUSAL = "occlusal"
    PANORAMIC = "panoramic"
    CEPHALOMETRIC = "cephalometric"
    VOLUME = "volume"  # cone-beam


class DocumentStatus(enum.StrEnum):
    PENDING = "pending"  # its bytes are on their way
    AVAILABLE = "available"
    FAILED = "failed"  # they never arrived whole, or are nothing that is kept
    QUARANTINED = "quarantined"  # nobody may read them: the scanner or a digest said so
    DELETED = "deleted"  # restorable
    PURGED = "purged"  # the bytes are gone; two people wanted that


# Of which the bytes may be looked at, and of which the store holds them.
READABLE = (DocumentStatus.AVAILABLE, DocumentStatus.DELETED)
HELD = (*READABLE, DocumentStatus.QUARANTINED)


class Document(Base):
    """One file. `key`, `size`, `sha256` and `parts` (SHA-256 of each part, hex, with spaces) are what the store must hold."""

    __tablename__ = "document"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    visit_id: Mapped[int | None] = references("visit.id", index=True)
    replaces_id: Mapped[int | None] = references("document.id", index=True)  # the former file of the same thing
    category: Mapped[Category] = mapped_column(one_of(Category), default=Category.OTHER)
    projection: Mapped[Projection | None] = mapped_column(one_of(Projection))
    teeth: Mapped[str] = mapped_column(String(200), default="")  # keys of the chart, with spaces between
    taken_on: Mapped[date | None] = mapped_column(Date)
    description: Mapped[str] = mapped_column(String(500), default="")
    name: Mapped[str] = mapped_column(String(150))  # of the file, as it is offered again
    status: Mapped[DocumentStatus] = mapped_column(one_of(DocumentStatus), default=DocumentStatus.PENDING)
    why: Mapped[str] = mapped_column(String(300), default="")  # it failed, is in quarantine, or else was deleted
    key: Mapped[str] = mapped_column(String(80), unique=True)  # random, written once, says nothing
    once: Mapped[str] = mapped_column(String(64), unique=True)  # of the upload: sent twice, it is one document
    media_type: Mapped[str] = mapped_column(String(80), default="")
    size: Mapped[int] = mapped_column(Id, default=0)  # bytes
    sha256: Mapped[str] = mapped_column(String(64), default="")
    parts: Mapped[str] = mapped_column(Text, default="")
    width: Mapped[int | None]  # pixels
    height: Mapped[int | None]
    pages: Mapped[int | None]
    remarks: Mapped[str] = mapped_column(String(300), default="")  # what was seen in it that one should know
    uploaded_by_id: Mapped[int] = references("user.id")
    created_at: Mapped[datetime]
    available_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]  # it was last read and hashed anew
    deleted_by_id: Mapped[int | None] = references("user.id")
    deleted_at: Mapped[datetime | None]
    purge_asked_by_id: Mapped[int | None] = references("user.id")
    purge_asked_at: Mapped[datetime | None]
    purge_reason: Mapped[str] = mapped_column(String(300), default="")
    purged_by_id: Mapped[int | None] = references("user.id")
    purged_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    patient = link("Patient")
    uploaded_by = link("User", foreign_keys=[uploaded_by_id])
    deleted_by = link("User", foreign_keys=[deleted_by_id])
    purge_asked_by = link("User", foreign_keys=[purge_asked_by_id])
    purged_by = link("User", foreign_keys=[purged_by_id])

    @property
    def is_readable(self) -> bool:
        """Whether its bytes may be looked at: also before it is restored, or purged."""
        return self.status in READABLE

    @property
    def is_away(self) -> bool:
        """Whether it was deleted and can be restored or purged; it may be in quarantine besides."""
        return self.deleted_at is not None and self.status in (DocumentStatus.DELETED, DocumentStatus.QUARANTINED)

    @property
    def is_picture(self) -> bool:
        """Whether a browser shows it in a page."""
        return self.media_type in PICTURES

    @property
    def is_page(self) -> bool:
        """Whether it is a PDF to be shown in a page: one in which nothing was seen that acts by itself."""
        return self.media_type == "application/pdf" and not self.remarks

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("status NOT IN ('available', 'deleted') OR sha256 <> ''", name="digest_of_what_is_there"),
        CheckConstraint("(status = 'purged') = (purged_at IS NOT NULL)", name="purged_when"),
        CheckConstraint("status <> 'deleted' OR deleted_at IS NOT NULL", name="deleted_when"),
        CheckConstraint("purged_by_id IS NULL OR purged_by_id <> purge_asked_by_id", name="purged_by_two"),
        CheckConstraint("projection IS NULL OR category = 'radiograph'", name="projection_of_a_radiograph"),
        Index("ix_document_patient", "patient_id", "id"),
        Index("ix_document_status", "status", "id"),
        Index("ix_document_uploader", "uploaded_by_id", "created_at"),
        TABLE_OPTIONS,
    )


class ToothPlace(Base):
    """Where somebody marked a tooth on the picture of a document: only added. What holds of a tooth is its newest row; one without a
    place says that it was taken away."""

    __tablename__ = "tooth_place"

    id: Mapped[identity]
    document_id: Mapped[int] = references("document.id")
    tooth: Mapped[str] = mapped_column(String(3))  # its key
    version: Mapped[int]  # of this tooth on this document: 1, 2, ...
    x: Mapped[int | None]  # from the left, y from the top, in thousandths of the picture as it is shown upright
    y: Mapped[int | None]
    marked_by_id: Mapped[int] = references("user.id")
    marked_at: Mapped[datetime]

    marked_by = link("User")

    __table_args__ = (
        UniqueConstraint("document_id", "tooth", "version"),
        CheckConstraint(
            "(x IS NULL) = (y IS NULL) AND COALESCE(x, 0) BETWEEN 0 AND 1000 AND COALESCE(y, 0) BETWEEN 0 AND 1000",
            name="on_the_picture",
        ),
        TABLE_OPTIONS,
    )
