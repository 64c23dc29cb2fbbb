"""Which kind of file it is, told by how it begins; of what is not kept, what it is and what to do instead."""

import re
from codecs import getincrementaldecoder

from clinic.documents.pdf_walk import pdf
from clinic.documents.picture_walks import dicom, heic, jpeg, png, tiff, webp
from clinic.documents.walk import Kind, Refused

HEAD = 4096  # bytes by which the kind is told
NEAR = 1024  # bytes in which a browser or a reader looks for something else
# What is known here, by name and in words; a clinic may take some of it only.
TYPES = {"pdf": "PDF", "jpeg": "JPEG", "png": "PNG", "webp": "WebP", "tiff": "TIFF", "heic": "HEIC", "dicom": "DICOM"}
EVERY_TYPE = frozenset(TYPES)

_PDF = Kind("pdf", "application/pdf", (".pdf",), "PDF", pdf)
_JPEG = Kind("jpeg", "image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG picture", jpeg)
_PNG = Kind("png", "image/png", (".png",), "PNG picture", png)
_WEBP = Kind("webp", "image/webp", (".webp",), "WebP picture", webp)
_TIFF = Kind("tiff", "image/tiff", (".tif", ".tiff"), "TIFF picture", tiff)
_HEIC = Kind("heic", "image/heic", (".heic", ".heif"), "HEIC picture", heic)
_HEIF = Kind("heic", "image/heif", (".heif", ".heic"), "HEIF picture", heic)
_DICOM = Kind("dicom", "application/dicom", (".dcm", ".dicom", ".ima"), "DICOM file", dicom)
KINDS = (_PDF, _JPEG, _PNG, _WEBP, _TIFF, _HEIC, _HEIF, _DICOM)
# How files end that are kept, by media type; the first is the usual one.
SUFFIXES = {kind.media_type: kind.suffixes for kind in KINDS}

_PICTURE = "This is {}. Save it as PNG and upload that."
_ARCHIVE = "This is an archive. Unpack it and upload the files in it one by one."
_OFFICE = "This is an Office document. Save it as PDF and upload that."
_PROGRAM = "This is a program, not a document. Do not open it, and tell the clinic's administrator."
_MOVING = "This is a video or a sound. Upload a picture or a PDF."
_WEB_PAGE = "This is a web page, not a document. Print it to a PDF and upload that."
_SVG = "This is an SVG drawing, which can carry programs. Save it as PNG and upload that."
_XML = "This is data in XML, not a document. Print it to a PDF and upload that."
_TEXT = "This is plain text. Print it to a PDF and upload that."
_TWO = "This file is two things at once. Open it, save it anew as PDF or PNG and upload that."
_PREFIXED = "This PDF has something before its beginning. Open it, print it to a PDF and upload that."
_WITH_TAGS = "This {} holds a piece of a web page. Open it, save it anew and upload that."
_UNKNOWN = "Nobody can tell what this file is. Save it as PDF, JPEG or PNG and upload that."
_EMPTY = "This file is empty. Look whether it opens on your computer, and choose it again."

# How files begin that are not kept.
_OTHERS = (
    (rb"GIF8[79]a", _PICTURE.format("a GIF picture")),
    (rb"BM.{4}\0\0\0\0", _PICTURE.format("a BMP picture")),
    (rb"\0\0\x01\0.\0", _PICTURE.format("an icon")),
    (rb"8BPS", _PICTURE.format("a Photoshop picture")),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", _PICTURE.format("a JPEG 2000 picture")),
    (rb"II\x2b\0|MM\0\x2b", _PICTURE.format("a BigTIFF picture")),
    (rb".{4}ftyp(?:avi[fs]|mif1.{4}(?:.{4})*?avif)", _PICTURE.format("an AVIF picture")),
    (rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}(?:AVI |WAVE)|OggS|ID3|fLaC", _MOVING),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1|\{\\rtf", _OFFICE),
    (rb"%!PS", "This is PostScript. Save it as PDF and upload that."),
    (rb"MZ|\x7fELF|\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe|#!|@echo off", _PROGRAM),
    (rb"Rar!|7z\xbc\xaf\x27\x1c|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|.{257}ustar", _ARCHIVE),
)
_OTHER = [(re.compile(pattern, re.DOTALL), sentence) for pattern, sentence in _OTHERS]
_ZIP = re.compile(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)")
_IN_OFFICE = re.compile(rb"\[Content_Types\]\.xml|word/|xl/|ppt/|mimetypeapplication/vnd\.")
_TAGS = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|object|embed|svg|foreignobject)\b", re.IGNORECASE
)
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis")


def kind_of(head: bytes) -> Kind:
    """The kind of what begins so. Raises Refused, with the name of what it is where that is known."""
    if not head:
        raise Refused(_EMPTY)
    kind, near = _by_beginning(head), head[:NEAR]
    tags, holds_pdf = _TAGS.search(near), b"%PDF-" in near[1:]
    if head[128:132] == b"DICM":
        # A TIFF may share its pixels with a DICOM file. Behind the first words a document may be packed in one.
        if kind not in (None, _TIFF) or _other(head) or b"%PDF-" in head[:128]:
            raise Refused(_TWO)
        kind = _DICOM
    elif kind not in (None, _PDF) and holds_pdf:
        raise Refused(_TWO)
    if kind is None:
        raise Refused(_other(head) or (_PREFIXED if holds_pdf else _as_text(head, has_tags=tags is not None)))
    if tags:
        raise Refused(_WITH_TAGS.format(kind.words))
    return kind


def _by_beginning(head: bytes) -> Kind | None:
    if head[4:8] == b"ftyp":
        brands = head[16 : min(int.from_bytes(head[:4], "big"), 256)]
        if head[8:12] in _HEIC_BRANDS:
            return _HEIC
        return _HEIF if head[8:12] == b"mif1" and b"avif" not in brands else None
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _WEBP
    beginnings = {
        b"%PDF-": _PDF, b"\xff\xd8\xff": _JPEG, b"\x89PNG\r\n\x1a\n": _PNG, b"II*\0": _TIFF, b"MM\0*": _TIFF,
    }  # fmt: skip
    return next((kind for start, kind in beginnings.items() if head.startswith(start)), None)


def _other(head: bytes) -> str | None:
    """The sentence about something that is known by its beginning and not kept."""
    if _ZIP.match(head):
        return _OFFICE if _IN_OFFICE.search(head) else _ARCHIVE
    return next((sentence for pattern, sentence in _OTHER if pattern.match(head)), None)


def _as_text(head: bytes, *, has_tags: bool) -> str:
    """The sentence about what is perhaps text."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    is_xml = start.startswith((b"<?xml", b"<svg", b"<!doctype svg", b"<!--"))
    if is_xml and b"<svg" in start and b"<html" not in start:
        return _SVG
    if has_tags:
        return _WEB_PAGE
    if is_xml:
        return _XML
    try:
        text = getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)  # a letter may be cut through
    except UnicodeDecodeError:
        return _UNKNOWN
    return _TEXT if all(char.isprintable() or char.isspace() for char in text) else _UNKNOWN


# --- what is taken ----------------------------------------------------------------------------------------------------

_ADVISED = {"pdf": re.compile(r"\bPDF\b"), "jpeg": re.compile(r"\bJPEG\b"), "png": re.compile(r"\bPNG\b")}


def in_words(taken: frozenset[str]) -> str:
    """`PDF`, `PDF or PNG`, `PDF, JPEG or PNG`: in the order of `TYPES`."""
    words = [word for name, word in TYPES.items() if name in taken]
    return " or ".join(each for each in (", ".join(words[:-1]), words[-1]) if each)


def accept_of(taken: frozenset[str]) -> str:
    """What a browser's chooser of files is told, for its `accept`. DICOM goes by suffix: browsers know no type of it."""
    told = [",".join(kind.suffixes) if kind is _DICOM else kind.media_type for kind in KINDS if kind.type in taken]
    return ",".join(told)


def advice_of(taken: frozenset[str]) -> str:
    return f"Save it as {in_words(taken)} and upload that."


def with_advice(sentence: str, taken: frozenset[str]) -> str:
    """The sentence of a refusal; what it says to do is said anew when that would be refused as well."""
    said, _, advice = sentence.partition(". ")
    is_vain = any(word.search(advice) for name, word in _ADVISED.items() if name not in taken)
    return f"{said}. {advice_of(taken)}" if is_vain else sentence
