"""Documents for tests: small files of each kind, and filing one the way an upload does, without a browser."""

import hashlib
import re
import struct
import zlib
from typing import Any
from urllib.parse import urlencode

from clinic.blueprints.documents.receiving import BARE
from clinic.extensions import db
from clinic.incoming import Incoming
from clinic.models import Category, Document
from clinic.operations.documents import Content, Said, begin_document, finish_document
from clinic.storage import Stored
from tests.person import Person
from tests.world import World

KINDS = (("application/pdf", 0, b"%PDF"), ("application/dicom", 128, b"DICM"), ("image/tiff", 0, b"II*\0"))
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type /Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def png(width: int = 8, height: int = 6, *, grey: int = 128) -> bytes:
    """A whole PNG of one shade."""
    rows = (b"\0" + bytes([grey]) * width) * height
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def file_document(
    world: World,
    patient: str = "fernando",
    person: str = "kamal",
    *,
    body: bytes | None = None,
    name: str = "36.png",
    said: Said | None = None,
    once: str | None = None,
    replaces: int | None = None,
    into_store: bool = False,
) -> Document:
    """A document that is available; its bytes are in the store only if wanted. Nothing is committed."""
    body = png() if body is None else body
    key = once or f"{patient} {name} {hashlib.sha256(body).hexdigest()}"
    once = hashlib.sha256(key.encode()).hexdigest()
    actor = world.user(person)
    document = begin_document(world.patient(patient), once=once, replaces=replaces, actor=actor)
    if into_store:
        with Incoming(document.key, most=10**9) as incoming:
            incoming.write(body)
            stored = incoming.finish()
    else:
        digest = hashlib.sha256(body).hexdigest()
        stored = Stored(document.key, len(body), digest, (digest,))
    kind = next((kind for kind, at, begins in KINDS if body[at:].startswith(begins)), "image/png")
    return finish_document(
        document.id,
        name=name,
        said=said or Said(Category.LETTER if kind == "application/pdf" else Category.RADIOGRAPH),
        content=Content(stored, kind, *((8, 6) if kind == "image/png" else ())),
        replaces=replaces,
        actor=actor,
    )


def upload_address(person: Person, patient_id: int) -> str:
    """The address of the form on the patient's page of documents, with its ticket."""
    page = person.get(f"/patients/{patient_id}/documents").text
    found = re.search(r'action="(/patients/\d+/documents\?ticket=[^"]+)"', page)
    assert found, "the page has no form to add a document"
    return found[1].replace("&amp;", "&")


def packed(body: bytes, name: str, *, by_script: bool = False, **fields: Any) -> tuple[dict[str, str], bytes]:
    """A file behind the fields of its form, as the script of our pages sends it or as a browser does without: the headers, and the body."""
    if by_script:
        head = urlencode(fields | {"file": name}, errors="surrogatepass").encode()
        return {"Content-Type": BARE, "X-Fields": str(len(head))}, head + body
    parts = [(f'name="{field}"', str(value).encode()) for field, value in fields.items()]
    parts.append((f'name="file"; filename="{name}"', body))
    sent = b"".join(
        b"--edge\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (head.encode(), value) for head, value in parts
    )
    return {"Content-Type": "multipart/form-data; boundary=edge"}, sent + b"--edge--\r\n"


def send(
    person: Person,
    address: str,
    body: bytes,
    name: str = "36.png",
    headers: Any = None,
    by_script: bool = False,
    **fields: Any,
) -> Any:
    """Send a file as a form without JavaScript does, or as our script does."""
    needed, sent = packed(body, name, by_script=by_script, **fields)
    with person.app.app_context():
        return person.client.post(address, data=sent, headers=needed | (headers or {}))


def newest() -> Document:
    return db.session.query(Document).order_by(Document.id.desc()).first()
