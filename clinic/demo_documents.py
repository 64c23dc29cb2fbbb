"""Documents for the demo clinic, drawn by this program: nobody is in them. Filed by the operations that every upload goes through.

Safe to repeat: each is filed once, however often it is asked, also when somebody has deleted it since.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from io import BytesIO
from math import cos, pi, sin
from typing import Any

from PIL import Image, ImageDraw, ImageFilter, ImageFont
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from sqlalchemy import func, select

from clinic import clock, storage
from clinic.demo import people_to_try
from clinic.documents.inspection import Inspection
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.incoming import Incoming
from clinic.models import Assignment, Category, Document, DocumentStatus, Patient, Projection, User
from clinic.operations.documents import Content, Said, begin_document, fail_document, finish_document
from clinic.queries.scope import is_running

MOST = 100 * 2**20  # bytes
NOTE = "Demo: drawn, not of anybody"
IVORY, GUM, DARK = (238, 231, 214), (176, 92, 96), (58, 18, 22)


@dataclass(frozen=True)
class Planned:
    """`patient`: which of the student's; `drawn` makes the bytes; `replaces`: the place in `PLANNED` of the former file."""

    patient: int
    name: str
    drawn: Callable[[], bytes]
    category: Category
    projection: Projection | None = None
    teeth: tuple[str, ...] = ()
    days_ago: int = 0
    description: str = ""
    replaces: int | None = None
    by_desk: bool = False


def file_documents(keep: Callable[[], None]) -> int:
    """File what is missing of the demo's documents; answers how many. `keep` commits. Raises StorageError; none in any other clinic."""
    people = {user.email.partition("@")[0]: user for user in people_to_try()}
    once = [hashlib.sha256(f"demo document {place}".encode()).hexdigest() for place in range(len(PLANNED))]
    there = db.session.scalar(select(func.count()).where(Document.once.in_(once))) or 0
    if not {"student", "reception"} <= people.keys() or there == len(PLANNED):
        return 0
    if not (patients := _patients_of(people["student"])):  # somebody took them all away
        return 0
    storage.check()
    filed: list[Document] = []
    for plan, key in zip(PLANNED, once, strict=True):
        actor = people["reception" if plan.by_desk else "student"]
        former = filed[plan.replaces].id if plan.replaces is not None else None
        filed.append(_file(plan, key, patients[plan.patient % len(patients)], former, actor, keep))
    return len(PLANNED) - there


def _patients_of(student: User) -> list[Patient]:
    mine = select(Assignment.patient_id).where(Assignment.user_id == student.id, is_running())
    found = select(Patient).where(Patient.id.in_(mine), Patient.archived_at.is_(None)).order_by(Patient.id)
    return list(db.session.scalars(found.limit(3)))


def _file(
    plan: Planned, once: str, patient: Patient, replaces: int | None, actor: User, keep: Callable[[], None]
) -> Document:
    document = begin_document(patient, once=once, replaces=replaces, actor=actor)
    if document.status is not DocumentStatus.PENDING:
        return document
    keep()
    number, key = document.id, document.key
    taken_on: date = clock.today() - timedelta(days=plan.days_ago)
    try:
        content = _put(key, plan.name, plan.drawn())
        said = Said(plan.category, plan.projection, plan.teeth, taken_on, description=plan.description)
        document = finish_document(number, name=plan.name, said=said, content=content, replaces=replaces, actor=actor)
    except (storage.StorageError, DomainError):
        fail_document(number, why="The demo's document did not arrive.", actor=actor)
        keep()
        raise
    keep()
    return document


def _put(key: str, name: str, body: bytes) -> Content:
    inspection = Inspection(name)
    inspection.feed(body)
    found = inspection.end()
    with Incoming(key, most=MOST) as incoming:
        incoming.write(body)
        stored = incoming.finish()
    return Content(stored, found.media_type, found.width, found.height, found.pages, "; ".join(found.flags))


# --- drawing ----------------------------------------------------------------------------------------------------------


def _noted(picture: Image.Image) -> Image.Image:
    """With a band below that says what it is."""
    band = max(26, picture.height // 18)
    whole = Image.new(picture.mode, (picture.width, picture.height + band))
    whole.paste(picture, (0, 0))
    light: Any = 230 if picture.mode == "L" else (230, 230, 230)
    font = ImageFont.load_default(band * 0.6)
    ImageDraw.Draw(whole).text((12, picture.height + band * 0.15), NOTE, fill=light, font=font)
    return whole


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    body = BytesIO()
    picture.save(body, kind, **options)
    return body.getvalue()


def _x_ray_tooth(draw: ImageDraw.ImageDraw, x: float, y: float, width: float, length: float, *, down: bool) -> None:
    """A tooth as rays show it: enamel bright, dentine less, the canal dark. `y`: the biting edge; `down`: the root points there."""
    way = 1 if down else -1

    def box(left: float, near: float, right: float, far: float) -> list[float]:
        top, bottom = sorted((y + way * near * length, y + way * far * length))
        return [x + left * width, top, x + right * width, bottom]

    root = [
        (x - 0.36 * width, y + way * 0.3 * length),
        (x + 0.36 * width, y + way * 0.3 * length),
        (x, y + way * length),
    ]
    draw.polygon(root, fill=150)
    draw.rounded_rectangle(box(-0.47, 0, 0.47, 0.42), width * 0.25, fill=215)
    draw.rounded_rectangle(box(-0.34, 0.07, 0.34, 0.42), width * 0.2, fill=160)
    draw.rounded_rectangle(box(-0.12, 0.2, 0.12, 0.42), width * 0.1, fill=85)
    draw.line([(x, y + way * 0.4 * length), (x, y + way * 0.92 * length)], fill=95, width=max(2, int(width * 0.08)))


def _grained(picture: Image.Image, seed: int) -> Image.Image:
    small = (picture.width // 2, picture.height // 2)
    grain = Image.frombytes("L", small, random.Random(seed).randbytes(small[0] * small[1])).resize(picture.size)
    return Image.blend(picture.filter(ImageFilter.GaussianBlur(1.6)), grain, 0.07)


def _panoramic() -> bytes:
    width, height = 1600, 800
    picture = Image.new("L", (width, height), 22)
    draw = ImageDraw.Draw(picture)
    draw.ellipse([90, 120, width - 90, height + 60], fill=70)
    draw.ellipse([240, 250, width - 240, height - 130], fill=40)
    draw.ellipse([420, -260, width - 420, 210], fill=55)
    for place in range(-8, 8):
        x = width / 2 + (place + 0.5) * 74
        bow = 70 * cos((place + 0.5) / 8 * pi / 2)
        across = 66 if abs(place + 0.5) > 3.5 else 48
        _x_ray_tooth(draw, x, 360 + bow, across, 170, down=False)
        _x_ray_tooth(draw, x, 378 + bow, across, 165, down=True)
    draw.rounded_rectangle([1062, 425, 1098, 447], 8, fill=250)  # a filling of 36, on the right as it is looked at
    return _saved(_noted(_grained(picture.filter(ImageFilter.GaussianBlur(1.2)), 1)), "JPEG", quality=82)


def _bitewing(*, filled: bool) -> bytes:
    picture = Image.new("L", (900, 660), 28)
    draw = ImageDraw.Draw(picture)
    for place in range(5):
        _x_ray_tooth(draw, 110 + place * 172, 318, 158, 420, down=False)
        _x_ray_tooth(draw, 100 + place * 172, 338, 160, 420, down=True)
    at = [(248, 344), (248, 420), (300, 372)]
    draw.polygon(at, fill=250 if filled else 70)
    return _saved(_noted(_grained(picture, 2 + filled)), "PNG", optimize=True)


def _photograph(*, whiter: int) -> bytes:
    """A mouth from the front, as a gradient with teeth."""
    width, height = 1200, 800
    picture = Image.merge("RGB", [Image.linear_gradient("L").resize((width, height)).point(part) for part in _SKIN])
    draw = ImageDraw.Draw(picture)
    draw.ellipse([170, 180, width - 170, height - 150], fill=GUM)
    draw.ellipse([220, 250, width - 220, height - 210], fill=DARK)
    white = tuple(min(255, part + whiter) for part in IVORY)
    for y, length in ((292, 124), (432, 96)):  # the upper teeth, the lower ones
        for place in range(-4, 4):
            bow = sin(pi * (place + 4.5) / 8)  # least at the sides
            x, across = width / 2 + (place + 0.5) * 76, 72 if abs(place) < 2 else 64
            box = [x - across / 2, y + 24 * bow, x + across / 2, y + 24 * bow + length * (0.8 + 0.2 * bow)]
            draw.rounded_rectangle(box, 20, fill=white)
    return _saved(_noted(picture.filter(ImageFilter.GaussianBlur(1))), "JPEG", quality=85)


_SKIN = tuple(
    partial(lambda low, high, level: int(high - (high - low) * level / 255), *pair)
    for pair in ((150, 226), (96, 178), (84, 160))
)


def _pdf(*lines: str) -> bytes:
    """One page of plain lines."""
    shown = ["BT /F1 13 Tf 72 760 Td 20 TL"]
    shown += [f"({line.translate(_ESCAPED)}) Tj T*" for line in (*lines, "", NOTE)]
    text = "\n".join([*shown, "ET"]).encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", list[int]()
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        size, table, size, len(out),
    )  # fmt: skip


_ESCAPED = str.maketrans({"(": r"\(", ")": r"\)", "\\": r"\\"})


def _dicom() -> bytes:
    picture = Image.new("L", (320, 420), 25)
    draw = ImageDraw.Draw(picture)
    for x in (70, 170, 270):
        _x_ray_tooth(draw, x, 60, 92, 330, down=True)
    picture = _noted(_grained(picture, 9))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.3")  # a radiograph taken in the mouth, for viewing
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["chairside demo"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("demo", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.PatientName, data.PatientID, data.Modality = "Demo^Drawn", "DEMO", "IO"
    data.StudyDate, data.Manufacturer = "20260105", "Drawn by Chairside"
    data.Rows, data.Columns = picture.height, picture.width
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.PixelData = picture.tobytes()
    body = BytesIO()
    data.save_as(body, enforce_file_format=True)
    return body.getvalue()


_CONSENT = partial(
    _pdf,
    "Consent to treatment",
    "",
    "I was told what is wrong, what will be done, what else could be done,",
    "and what may go wrong. My questions were answered.",
    "",
    "Treatment: filling of tooth 36",
    "Signed: (demo)",
)
_LETTER = partial(
    _pdf,
    "Dear colleague,",
    "",
    "thank you for seeing this patient with pain at the lower left.",
    "The tooth answers to cold, and is tender when knocked at.",
    "",
    "With kind regards",
    "(demo)",
)
R, PH = Category.RADIOGRAPH, Category.PHOTOGRAPH
# A newer file comes after the one whose place it takes.
PLANNED = (
    Planned(0, "panoramic.jpg", _panoramic, R, Projection.PANORAMIC, days_ago=120, description="First visit"),
    Planned(0, "bitewing left.png", partial(_bitewing, filled=False), R, Projection.BITEWING, ("36", "37"), 90),
    Planned(
        0, "bitewing left.png", partial(_bitewing, filled=True), R, Projection.BITEWING, ("36", "37"), 6, "Filled", 1
    ),
    Planned(0, "front before.jpg", partial(_photograph, whiter=-24), PH, days_ago=90, description="Before bleaching"),
    Planned(0, "front after.jpg", partial(_photograph, whiter=16), PH, days_ago=6, description="After bleaching"),
    Planned(0, "consent 36.pdf", _CONSENT, Category.CONSENT, teeth=("36",), days_ago=90, by_desk=True),
    Planned(0, "periapical 46.dcm", _dicom, R, Projection.PERIAPICAL, ("46",), 40),
    Planned(1, "referral.pdf", _LETTER, Category.LETTER, days_ago=20, description="From the practice", by_desk=True),
    Planned(1, "panoramic.jpg", _panoramic, R, Projection.PANORAMIC, days_ago=18),
    Planned(2, "front.jpg", partial(_photograph, whiter=0), PH, days_ago=3),
)
