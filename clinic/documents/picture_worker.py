"""The worker that opens a stranger's file: the file on stdin, the answer on stdout.

Run as `python -I -B picture_worker.py KIND SIDE SECONDS`. KIND is a media type, for a JPEG of at most SIDE pixels each way, or `facts`,
for what a DICOM file's header says. It imports nothing of the clinic and is started with an empty environment. Before anything that
decodes is imported it limits itself in memory and time; before the first byte is decoded it gives up opening files and connections too
(docs/decisions/0045).

The answer is a line of JSON, then the JPEG: `{"width", "height"}`, `{"facts"}`, or `{"no"}` with one of the words of `pictures.SENTENCES`.
"""

import ctypes
import io
import json
import os
import resource
import signal
import sys
import warnings
from array import array
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image as Drawn

MEMORY = 2**30  # bytes of address space, the interpreter's own 100 MiB among them
PIXELS = 100_000_000  # more are not decoded: 400 MB in memory; the largest sensors have that many
QUALITY = 82
KILLED_WITH_PARENT, NO_NEW_PRIVILEGES = 1, 38  # prctl(2)
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/tiff": "TIFF"}
TIFF = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate")  # how a TIFF may be packed


class No(Exception):
    """There is no picture; one word says why."""


def confine(seconds: int) -> None:
    """Limits that neither this process nor anything it might be made to start gets rid of again."""
    libc = ctypes.CDLL(None)
    libc.prctl(KILLED_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # where memory ends, this ends first
        score.write("1000")
    os.nice(5)  # people's pages come first
    signal.alarm(seconds + 2)  # should nobody be left to end it
    limit(resource.RLIMIT_AS, MEMORY)
    limit(resource.RLIMIT_CPU, seconds)
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_NPROC, 0)
    limit(resource.RLIMIT_NOFILE, 16)


def limit(what: int, most: int) -> None:
    _soft, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def bring(kind: str) -> None:
    """Import all that a kind of file needs, while files can still be opened."""
    from PIL import ExifTags, Image, ImageFile, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401

    Image.preinit()
    if kind not in FORMATS:
        import codecs

        import pydicom.encaps  # noqa: F401
        from pydicom.charset import python_encoding

        for name in set(python_encoding.values()):
            with suppress(LookupError):
                codecs.lookup(name)
    Image.MAX_IMAGE_PIXELS = PIXELS
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


# --- pictures ---------------------------------------------------------------------------------------------------------


def picture(kind: str, data: bytes, side: int) -> tuple[dict[str, Any], bytes]:
    from PIL import Image

    try:
        image = upright(small(opened(FORMATS[kind], data, side) if kind in FORMATS else radiograph(data), side))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise No("pixels") from None
    # Onto a new sheet, which has nothing of the file's metadata.
    sheet = Image.new("L" if image.mode == "L" else "RGB", image.size, "white")
    sheet.paste(image, mask=image.getchannel("A") if image.mode in ("LA", "RGBA") else None)
    jpeg = io.BytesIO()
    sheet.save(jpeg, "JPEG", quality=QUALITY)
    return {"width": sheet.width, "height": sheet.height}, jpeg.getvalue()


def opened(form: str, data: bytes, side: int) -> "Drawn":
    """The first picture of a file, in pixels. A JPEG is decoded no larger than needed."""
    from PIL import Image

    image = Image.open(io.BytesIO(data), formats=(form,))
    if form == "TIFF" and image.info["compression"] not in TIFF:
        raise No("compressed")
    image.draft(None, (2 * side, 2 * side))
    image.load()
    return image


def small(image: "Drawn", side: int) -> "Drawn":
    """The same no larger than `side` each way, in 8 bits; deeper greys from the darkest to the brightest there are."""
    deep = image.mode == "F" or image.mode.startswith("I")
    if deep:
        image = keep(image, image.convert("F"))
    elif image.mode in ("1", "P", "PA") or (image.mode in ("L", "RGB") and image.has_transparency_data):
        image = keep(
            image, image.convert("RGBA" if image.has_transparency_data else "L" if image.mode == "1" else "RGB")
        )
    image.thumbnail((side, side), reducing_gap=2.0)
    if deep:
        low, high = map(float, image.getextrema())  # type: ignore[arg-type]
        scale = 255 / (high - low) if high > low else 0.0
        return keep(image, image.point(lambda value: value * scale - low * scale).convert("L"))
    return image if image.mode in ("L", "LA", "RGB", "RGBA") else keep(image, image.convert("RGB"))


def keep(before: "Drawn", after: "Drawn") -> "Drawn":
    """`after`, turned as `before` is said to be."""
    after.info["turned"] = before.info.get("turned", turned(before))
    return after


def turned(image: "Drawn") -> int:
    """The orientation that the file's EXIF data names, 1 to 8; 1 where there is none that can be read."""
    with suppress(Exception):
        return int(image.getexif().get(0x0112, 1))
    return 1


def upright(image: "Drawn") -> "Drawn":
    from PIL.Image import Transpose

    turns = (Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE,
             Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)  # fmt: skip
    turn = image.info.get("turned", turned(image))
    return image.transpose(turns[turn - 2]) if 2 <= turn <= 8 else image


# --- DICOM ------------------------------------------------------------------------------------------------------------


def radiograph(data: bytes) -> "Drawn":
    """The one frame of a DICOM file, as its window shows it; not compressed, or by DICOM's own run lengths."""
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, RLELossless

    file = pydicom.dcmread(io.BytesIO(data))
    if reason := undrawn(file):
        raise No(reason)
    if "PixelData" not in file:
        raise No("nothing")
    syntax = file.file_meta.TransferSyntaxUID
    size, samples, depth = (int(file.Columns), int(file.Rows)), int(file.SamplesPerPixel), int(file.BitsAllocated)
    if size[0] * size[1] > PIXELS:
        raise No("pixels")
    wanted = size[0] * size[1] * samples * depth // 8
    if (samples, depth) not in ((1, 8), (1, 16), (3, 8)) or not wanted:
        raise No("colours")
    is_planar = samples > 1 and (syntax == RLELossless or int(file.get("PlanarConfiguration") or 0) == 1)
    body = unpacked(file.PixelData, wanted, samples, depth) if syntax == RLELossless else file.PixelData[:wanted]
    if len(body) < wanted:
        raise No("broken")
    if samples == 3:
        return colours(file, size, body, is_planar=is_planar)
    return greys(file, size, body, is_big_endian=syntax == ExplicitVRBigEndian)


def undrawn(file: Any) -> str:
    """Why a DICOM file is not drawn, as far as its header says it; empty when it may be."""
    from pydicom.uid import RLELossless

    if int(file.get("NumberOfFrames") or 1) > 1:
        return "frames"
    syntax = file.file_meta.TransferSyntaxUID
    if syntax.is_compressed and syntax != RLELossless:
        return "compressed"
    return "" if "Rows" in file and "Columns" in file else "nothing"


def unpacked(encapsulated: bytes, wanted: int, samples: int, depth: int) -> bytes:
    """The pixels of a frame packed by run lengths; of 16 bits the low byte first."""
    planes = list(runs(encapsulated, wanted, samples * depth // 8))
    if depth == 8:
        return b"".join(planes)
    body = bytearray(wanted)
    body[1::2], body[0::2] = planes
    return bytes(body)


def runs(encapsulated: bytes, wanted: int, planes: int) -> Iterable[bytes]:
    """The planes of a frame packed by run lengths (DICOM PS3.5, annex G)."""
    from pydicom.encaps import generate_frames

    frame = next(generate_frames(encapsulated, number_of_frames=1))
    header = array("I", frame[:64])
    if sys.byteorder == "big":
        header.byteswap()
    if header[0] != planes:
        raise No("broken")
    for start, stop in zip(header[1 : planes + 1], [*header[2 : planes + 1], len(frame)], strict=True):
        packed, at, plane = frame[start:stop], 0, bytearray()
        while at < len(packed) and len(plane) < wanted // planes:
            count = packed[at]
            if count < 128:
                plane += packed[at + 1 : at + 2 + count]
                at += count + 2
            elif count > 128:
                plane += packed[at + 1 : at + 2] * (257 - count)
                at += 2
            else:
                at += 1
        if len(plane) < wanted // planes:
            raise No("broken")
        yield bytes(plane[: wanted // planes])


def colours(file: Any, size: tuple[int, int], body: bytes, *, is_planar: bool) -> "Drawn":
    from PIL import Image

    mode = {"RGB": "RGB", "YBR_FULL": "YCbCr"}.get(str(file.PhotometricInterpretation))
    if mode is None:
        raise No("colours")
    if is_planar:
        each = len(body) // 3
        planes = [Image.frombytes("L", size, body[at * each : (at + 1) * each]) for at in range(3)]
        return Image.merge(mode, planes).convert("RGB")
    return Image.frombytes(mode, size, body).convert("RGB")


def greys(file: Any, size: tuple[int, int], body: bytes, *, is_big_endian: bool) -> "Drawn":
    from PIL import Image

    if file.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise No("colours")
    if file.BitsAllocated == 8:
        return Image.frombytes("L", size, body).point(shades(file, set(body), 256))
    numbers = array("H", body)
    if (sys.byteorder == "big") is not is_big_endian:
        numbers.byteswap()
    image = Image.frombytes("I", size, body, "raw", "I;16B" if is_big_endian else "I;16")
    return image.point(shades(file, set(numbers), 65536), "L")


def shades(file: Any, present: set[int], count: int) -> list[int]:
    """The grey of each number that a pixel may hold: by the window (DICOM PS3.3, C.11.2.1.2), else from the darkest to the brightest."""
    stored, high = int(file.BitsStored), int(file.HighBit)
    if not 1 <= stored <= high + 1 <= 16:
        raise No("broken")
    shift, span, half = high + 1 - stored, 1 << stored, 1 << stored - 1
    slope, intercept = float(file.get("RescaleSlope", 1)), float(file.get("RescaleIntercept", 0))
    is_signed = int(file.PixelRepresentation) == 1

    def value(number: int) -> float:
        bits = (number >> shift) % span
        return (bits - span if is_signed and bits >= half else bits) * slope + intercept

    centre, width = first(file.get("WindowCenter")), first(file.get("WindowWidth"))
    if centre is not None and width is not None and width > 1 and "ModalityLUTSequence" not in file:
        low, top = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    else:
        found = [value(number) for number in present]
        low, top = min(found), max(found)
    scale = 255 / (top - low) if top > low else 0
    table = [min(255, max(0, round((value(number) - low) * scale))) for number in range(count)]
    return [255 - shade for shade in table] if file.PhotometricInterpretation == "MONOCHROME1" else table


def first(value: Any) -> float | None:
    """A window is one number, or a list of which the first is meant."""
    if value is None or value == "":
        return None
    return float(value if isinstance(value, (int, float, str)) else value[0])


MODALITIES = {
    "IO": "Intra-oral radiograph",
    "PX": "Panoramic radiograph",
    "DX": "Digital radiograph",
    "CR": "Computed radiograph",
    "RG": "Radiograph",
    "CT": "Tomography",
    "MR": "Magnetic resonance",
    "US": "Ultrasound",
    "XC": "Photograph",
    "ES": "Endoscope",
    "GM": "Microscope",
    "OSS": "Surface scan",
    "SR": "Report",
    "DOC": "Document",
    "SEG": "Segmentation",
    "OT": "Other",
}


def facts(data: bytes) -> dict[str, Any]:
    """What a DICOM file says of itself: `rows` in words, without what it does not say or says in no way that can be read; whom it names,
    as it is written there; its frames and pixels; and why it is not drawn, if it is not."""
    import pydicom

    file = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    if not file:
        raise No("broken")
    modality = said(file, "Modality")
    rows = [
        ("Kind of image", f"{MODALITIES[modality]} ({modality})" if modality in MODALITIES else modality),
        ("Date of the study", day(said(file, "StudyDate"))),
        ("Part of the body", said(file, "BodyPartExamined").capitalize()),
        ("Manufacturer", said(file, "Manufacturer")),
        ("Rows x columns", " x ".join(filter(None, (said(file, "Rows"), said(file, "Columns"))))),
        ("Frames", said(file, "NumberOfFrames") or ("1" if said(file, "Rows") else "")),
        ("Pixel spacing", spacing(said(file, "PixelSpacing"))),
        ("Pixel spacing at the detector", spacing(said(file, "ImagerPixelSpacing"))),
    ]
    name, born, patient = (said(file, keyword) for keyword in ("PatientName", "PatientBirthDate", "PatientID"))
    rows += [
        ("Patient named in the file", named(name)),
        ("Born, in the file", day(born)),
        ("Number in the file", patient),
    ]
    no = "broken"
    with suppress(Exception):
        no = undrawn(file)
    return {
        "rows": [row for row in rows if row[1]],
        "name": name,
        "birth_date": born,
        "number": patient,
        "frames": number(said(file, "NumberOfFrames")) or 1,
        "width": number(said(file, "Columns")),
        "height": number(said(file, "Rows")),
        "no": no,
    }


def number(written: str) -> int:
    return int(written) if written.isdecimal() and len(written) < 10 else 0


def said(file: Any, keyword: str) -> str:
    """What the file says under a keyword; several values parted by a backslash, as DICOM does."""
    from pydicom.multival import MultiValue

    with suppress(Exception):
        value = file.get(keyword)
        if value is not None:
            return "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value)
    return ""


def day(written: str) -> str:
    """`20240131` as `31 Jan 2024`; another way of writing as it is."""
    with suppress(ValueError):
        on = date(int(written[:4]), int(written[4:6]), int(written[6:8]))
        return f"{on.day} {on:%b %Y}"
    return written


def spacing(written: str) -> str:
    return f"{written.replace(chr(92), ' x ')} mm" if written else ""


def named(written: str) -> str:
    """`Perera^Nimal` as `Perera, Nimal`; the same name in other scripts after it."""
    groups = []
    for group in written.split("="):
        family, *others = (part.strip() for part in group.split("^"))
        groups.append(", ".join(filter(None, (family, " ".join(filter(None, others))))))
    return " / ".join(filter(None, groups)) or "nobody"


def answer(kind: str, data: bytes, side: int) -> tuple[dict[str, Any], bytes]:
    try:
        if kind == "facts":
            return {"facts": facts(data)}, b""
        return picture(kind, data, side)
    except No as no:
        return {"no": str(no)}, b""
    except MemoryError:
        return {"no": "memory"}, b""
    except Exception:
        return {"no": "broken"}, b""


def main(kind: str, side: str, seconds: str) -> None:
    confine(int(seconds))
    bring(kind)
    data = sys.stdin.buffer.read()
    limit(resource.RLIMIT_NOFILE, 0)  # from here on no file and no connection is opened any more
    about, jpeg = answer(kind, data, int(side))
    sys.stdout.buffer.write(json.dumps(about).encode() + b"\n" + jpeg)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
