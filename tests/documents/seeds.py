"""Small files made by hand, of each kind that is kept and of kinds that are not, and ways to spoil them."""

import random
import struct
import zlib


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int = 3, height: int = 2, *, between: bytes = b"", rows: bytes | None = None) -> bytes:
    """A grey picture; its header says `width` x `height` whatever `rows` hold."""
    rows = (b"\0" + b"\x80" * width) * height if rows is None else rows
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + between + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )  # fmt: skip


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg(width: int = 16, height: int = 8, *, before: bytes = b"", scan: bytes | None = None) -> bytes:
    """A grey picture of blocks that are all alike: two bits a block."""
    bits = 2 * -(-width // 8) * -(-height // 8) if width * height < 10**6 else 8
    coded = int("0" * bits + "1" * (8 - bits % 8), 2).to_bytes(bits // 8 + 1, "big")
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            before,
            segment(0xDB, b"\0" + b"\x01" * 64),
            segment(0xC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)),
            segment(0xC4, b"\0\x01" + b"\0" * 15 + b"\0"),
            segment(0xC4, b"\x10\x01" + b"\0" * 15 + b"\0"),
            segment(0xDA, b"\x01\x01\0\0\x3f\0"),
            coded if scan is None else scan,
            b"\xff\xd9",
        )
    )


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def vp8x(width: int, height: int) -> tuple[bytes, bytes]:
    return b"VP8X", b"\0" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def vp8(width: int = 20, height: int = 10) -> tuple[bytes, bytes]:
    return b"VP8 ", b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\x47" * 21


def vp8l(width: int = 20, height: int = 10) -> tuple[bytes, bytes]:
    return b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + b"\x88\x08\x10"


def tiff(width: int = 5, height: int = 4, *, order: str = "<", header_last: bool = False, further: int = 0) -> bytes:
    pixels = b"\x40" * 20
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1, 278: height, 279: len(pixels)}
    place = 8 + len(pixels) if header_last else 8
    tags[273] = 8 if header_last else 8 + 2 + 12 * (len(tags) + 1) + 4
    table = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    header = struct.pack(f"{order}H", len(tags)) + table + struct.pack(f"{order}I", further)
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", place)
    return start + (pixels + header if header_last else header + pixels)


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def heic(brand: bytes = b"heic", others: bytes = b"mif1heic") -> bytes:
    return box(b"ftyp", brand + b"\0\0\0\0" + others) + box(b"meta", b"\0" * 40) + box(b"mdat", b"\x26\x01" * 30)


def dicom(preamble: bytes = b"", body: bytes = b"\x08\0\x60\0CS\x02\0IO") -> bytes:
    meta = b"\x02\0\x10\0UI\x14\0" + b"1.2.840.10008.1.2.1\0"
    return preamble.ljust(128, b"\0") + b"DICM" + b"\x02\0\0\0UL\x04\0" + struct.pack("<I", len(meta)) + meta + body


def pdf(pages: int = 1, *, extra: bytes = b"", filling: bytes = b"", kind: bytes = b"/Type /Page") -> bytes:
    kids = b" ".join(b"%d 0 R" % (number + 3) for number in range(pages))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % extra,
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, pages),
    ]
    objects += [b"<< %s /Parent 2 0 R /MediaBox [0 0 200 200] >>" % kind] * pages
    objects += [b"<< /Length %d >>\nstream\n%s\nendstream" % (len(filling), filling)] if filling else []
    out, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, table, len(objects) + 1, len(out))
    )


def kept() -> dict[str, bytes]:
    """Files that are kept, by a name with the right suffix."""
    noise = random.Random(5).randbytes(20_000)
    exif = segment(0xE1, b"Exif\0\0" + noise[:9000])
    return {
        "one.pdf": pdf(),
        "twelve.pdf": pdf(12),
        "tight.pdf": pdf(2, kind=b"/Type/Page"),
        "lines.pdf": pdf(3, kind=b"/Type\r\n   /Page"),
        "hidden.pdf": pdf(2, kind=b"/#54ype /P#61g#65"),
        "filled.pdf": pdf(filling=noise),
        "script.pdf": pdf(extra=b"/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>"),
        "script-hidden.pdf": pdf(extra=b"/AA << /WC << /S /J#61vaScript /#4aS 9 0 R >> >>"),
        "place.pdf": pdf(extra=b"/OpenAction [3 0 R /Fit]"),
        "files.pdf": pdf(extra=b"/Names << /EmbeddedFiles 8 0 R >>"),
        "launch.pdf": pdf(extra=b"/OpenAction << /S /Launch /F (x) >>"),
        "form.pdf": pdf(extra=b"/AcroForm << /XFA 9 0 R >>"),
        "long.pdf": pdf(filling=noise * 5),
        "small.png": png(),
        "chunks.png": png(between=chunk(b"tEXt", b"Comment\0A tooth") + chunk(b"pHYs", b"\0" * 9)),
        "big.png": png(300, 200, rows=noise),
        "wide.png": png(20_000, 5_000, rows=b"\0"),
        "large-chunk.png": png(between=chunk(b"iTXt", noise)),
        "small.jpg": jpeg(),
        "exif.jpg": jpeg(before=exif),
        "exif-long.jpg": jpeg(before=segment(0xE1, noise * 3) + exif * 20),
        "filled.jpg": jpeg(before=b"\xff\xff\xff" + segment(0xFE, b"A tooth")),
        "scan.jpeg": jpeg(640, 480, scan=noise.replace(b"\xff", b"\xff\x00") * 2),
        "restarts.jpg": jpeg(64, 64, scan=b"\x12\xff\xd0\x34\xff\xff\xd1\x56\xff\x00\x78"),
        "scans.jpg": jpeg(64, 64, scan=b"\x12\x34" + segment(0xC4, b"\0" * 17) + segment(0xDA, b"\x01\x01\0\x01\x05\0") + b"\x56"),
        "lossy.webp": riff(vp8()),
        "lossless.webp": riff(vp8l()),
        "extended.webp": riff(vp8x(20, 10), (b"EXIF", noise[:6001]), vp8()),
        "moving.webp": riff(vp8x(30, 30), (b"ANIM", b"\0" * 6), (b"ANMF", b"\0" * 40)),
        "little.tif": tiff(),
        "big.tiff": tiff(order=">"),
        "last.tif": tiff(header_last=True),
        "last-big.tif": tiff(order=">", header_last=True),
        "several.tif": tiff(further=8),
        "camera.heic": heic(),
        "other.heif": heic(b"mif1"),
        "long-box.heic": heic() + struct.pack(">I4sQ", 1, b"free", 16 + 6000) + noise[:6000],
        "open-box.heic": heic() + struct.pack(">I4s", 0, b"free") + noise[:500],
        "plain.dcm": dicom(),
        "shared.dcm": dicom(preamble=tiff()[:8]),
        "long.dcm": dicom(body=noise),
    }  # fmt: skip


EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html>\n<html><body><script>alert(1)</script></body></html>"


def zipped(name: bytes = b"letter.txt") -> bytes:
    return (
        b"PK\x03\x04\x14"
        + b"\0" * 21
        + struct.pack("<HH", len(name), 0)
        + name
        + b"A letter"
        + b"PK\x05\x06"
        + b"\0" * 18
    )


def hostile() -> dict[str, tuple[bytes, str]]:
    """Files that are refused, by name, with words of the sentence that says so."""
    frame = struct.pack(">BHHBBBB", 8, 8, 8, 1, 1, 0x11, 0)
    return {
        "empty.pdf": (b"", "is empty"),
        "eicar.txt": (EICAR, "plain text"),
        "eicar.pdf": (EICAR, "plain text"),
        "letter.txt": ("Ōe no Sūtra, කමල්\n".encode() * 400, "plain text"),
        "drawing.svg": (SVG, "SVG drawing"),
        "drawing.png": (b'\xef\xbb\xbf <?xml version="1.0"?>\n' + SVG, "SVG drawing"),
        "data.xml": (b'<?xml version="1.0"?><letter/>', "XML"),
        "page.pdf": (HTML, "web page"),
        "page.jpg": (b"\n\n<HTML><img src=x onerror=alert(1)>", "web page"),
        "bait.jpg": (b"GARBAGE\x01<script>alert(1)</script>", "web page"),
        "letter.docx": (zipped(b"word/document.xml"), "Office"),
        "sheet.odt": (zipped(b"mimetypeapplication/vnd.oasis.opendocument.text"), "Office"),
        "old.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "Office"),
        "many.zip": (zipped(), "archive"),
        "with-pdf.zip": (zipped() + pdf(), "archive"),
        "many.7z": (b"7z\xbc\xaf\x27\x1c\0\x04", "archive"),
        "program.exe": (b"MZ\x90\0\x03" + b"\0" * 200, "program"),
        "program.pdf": (b"\x7fELF\x02\x01\x01" + b"\0" * 200, "program"),
        "script.pdf": (b"#!/bin/sh\nexit 1\n", "program"),
        "moving.gif": (b"GIF89a\x01\0\x01\0" + b"\0" * 20, "GIF picture. Save it as PNG"),
        "old.bmp": (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0" + b"\0" * 40, "BMP picture. Save it as PNG"),
        "huge.tif": (b"II+\0\x08\0\0\0" + b"\0" * 40, "is a BigTIFF picture"),
        "new.avif": (heic(b"avif", b"mif1avif"), "is an AVIF picture"),
        "posing.heif": (heic(b"mif1", b"avifmif1"), "is an AVIF picture"),
        "moving.mp4": (heic(b"isom", b"mp42"), "video"),
        "noise.bin": (bytes(range(256)) * 30, "Nobody can tell"),
        "late.pdf": (b"\0\x01\x02 some bytes before " + pdf(), "before its beginning"),
        "both.jpg": (jpeg(before=segment(0xFE, b"%PDF-1.4")), "two things"),
        "both.dcm": (b"\xff\xd8\xff\xe0".ljust(128, b"\0") + dicom()[128:], "two things"),
        "program.dcm": (dicom(preamble=b"MZ\x90\0"), "two things"),
        "tagged.jpg": (jpeg(before=segment(0xFE, b"<script src=x></script>")), "piece of a web page"),
        "tagged.png": (png(between=chunk(b"tEXt", b"Comment\0<SCRIPT>alert(1)</SCRIPT>")), "piece of a web page"),
        "tagged.pdf": (pdf(extra=b"(<html><body>)"), "piece of a web page"),
        "tagged.dcm": (dicom(preamble=HTML), "piece of a web page"),
        "bomb.png": (png(30_000, 30_000, rows=b"\0"), "30,000 x 30,000 pixels"),
        "side.png": (png(20_001, 1, rows=b"\0"), "20,001 x 1 pixels"),
        "area.png": (png(20_000, 5_001, rows=b"\0"), "20,000 x 5,001 pixels"),
        "bomb.jpg": (jpeg(65_535, 65_535), "65,535 x 65,535 pixels"),
        "bomb.webp": (riff(vp8x(16_777_216, 16_777_216), vp8()), "16,777,216 x 16,777,216 pixels"),
        "bomb.tif": (tiff(4_000_000_000, 2), "4,000,000,000 x 2 pixels"),
        "no-size.png": (png(0, 5), "damaged"),
        "no-size.jpg": (jpeg(16, 0), "damaged"),
        "no-size.tif": (tiff(0, 2), "damaged"),
        "two-sizes.jpg": (jpeg(before=segment(0xC0, frame)), "damaged"),
        "no-frame.jpg": (b"\xff\xd8" + segment(0xDA, b"\x01\x01\0\0\x3f\0") + b"\x12\xff\xd9", "damaged"),
        "no-scan.jpg": (b"\xff\xd8" + segment(0xC0, frame) + b"\xff\xd9", "damaged"),
        "lying.webp": (riff(vp8x(20, 10), vp8(2000, 10)), "damaged"),
        "lying.png": (png().replace(b"\0\0\0\x03\0\0\0\x02", b"\0\0\0\x04\0\0\0\x02", 1), "damaged"),
        "no-data.png": (png()[:33] + chunk(b"IEND", b""), "damaged"),
        "twice.png": (png(between=png()[8:33]), "damaged"),
        "short.png": (png()[:-1], "cut short"),
        "short.jpg": (jpeg()[:-2], "cut short"),
        "short.webp": (riff(vp8())[:-5], "cut short"),
        "short.tif": (tiff()[:-1], "cut short"),
        "short-last.tif": (tiff(header_last=True)[:-1], "cut short"),
        "short.heic": (heic()[:-1], "cut short"),
        "short.dcm": (dicom()[:135], "cut short"),
        "short.pdf": (pdf()[:-8], "cut short"),
        "far-end.pdf": (pdf() + b" " * 3000, "cut short"),
        "pages.pdf": (pdf(2001), "more than 2,000 pages"),
        "no-number.pdf": (b"%PDF-what" + pdf(), "damaged"),
        "no-meta.heic": (box(b"ftyp", b"heic\0\0\0\0mif1") + box(b"mdat", b"\0" * 9), "damaged"),
    }  # fmt: skip


def spoiled(dice: random.Random, seed: bytes, other: bytes) -> bytes:
    """`seed` with a few bits turned, a piece cut out, put in, doubled, or changed for one of `other`."""
    out = bytearray(seed)
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        at = dice.randrange(len(out) + 1) if dice.random() < 0.5 else min(dice.randrange(200), len(out))
        size = dice.choice((1, 2, 4, 8, 100, 3000))
        act = dice.randrange(7)
        if act == 0 and at < len(out):
            out[at] ^= 1 << dice.randrange(8)
        elif act == 1:
            del out[at:]
        elif act == 2:
            del out[at : at + size]
        elif act == 3:
            out[at:at] = dice.randbytes(size)
        elif act == 4:
            out[at:at] = out[at : at + size]
        elif act == 5:
            start = dice.randrange(len(other) + 1)
            out[at : at + size] = other[start : start + size]
        else:
            out[at : at + 4] = dice.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\x01"))
    return bytes(out)
