"""Small pictures of strangers' files: right, bounded, and made where nothing can be harmed."""

import io
import os
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageDraw
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from clinic.documents import pictures
from clinic.documents.pictures import Facts, NoPicture, Picture, facts_of, picture_of
from tests import soak

# The worker as a module of another program, which changes something and then runs it.
SAME = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("worker", {worker!r})
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
"""
WAIT = 60  # seconds, where the test is not of the time: the machine may be busy
KNOWN = {*pictures.SENTENCES.values(), pictures.DIED}


def drawn(media_type: str, data: bytes, **asked) -> tuple[Image.Image, Picture]:
    made = picture_of(media_type, [data], **({"seconds": WAIT} | asked))
    image = Image.open(io.BytesIO(made.jpeg))
    assert image.format == "JPEG"
    assert image.size == (made.width, made.height)
    return image, made


def refusal(media_type: str, *chunks: bytes, seconds: float = WAIT) -> str:
    with pytest.raises(NoPicture) as refused:
        picture_of(media_type, chunks, seconds=seconds)
    return str(refused.value)


def saved(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def corners(width: int = 600, height: int = 400, mode: str = "RGB") -> Image.Image:
    """Red at the upper left, green at the upper right, blue at the lower left, white at the lower right."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2, height // 2), "red")
    draw.rectangle((width // 2, 0, width, height // 2), "lime")
    draw.rectangle((0, height // 2, width // 2, height), "blue")
    return image.convert(mode)


def colours_at_corners(image: Image.Image) -> list[str]:
    """The nearest plain colour a tenth inside each corner, row by row."""
    plain = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "white": (255,) * 3, "black": (0,) * 3}
    found = []
    for down, along in ((0.1, 0.1), (0.1, 0.9), (0.9, 0.1), (0.9, 0.9)):
        seen = image.convert("RGB").getpixel((int(along * image.width), int(down * image.height)))
        found.append(min(plain, key=lambda name: sum(abs(a - b) for a, b in zip(plain[name], seen, strict=True))))
    return found


def children() -> set[int]:
    """The processes this one started that are still there, living or not yet taken leave of."""
    lists = (task / "children" for task in Path("/proc/self/task").iterdir())
    return {int(pid) for each in lists for pid in each.read_text().split()}


@pytest.fixture(autouse=True)
def _nobody_is_left():
    before = children()
    yield
    assert children() <= before, "a worker is left"
    assert pictures._places._value == pictures.AT_ONCE, "a place is still taken"


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media_type", "form", "options"),
    [
        ("image/jpeg", "JPEG", {"quality": 95}),
        ("image/jpeg", "JPEG", {"progressive": True}),
        ("image/png", "PNG", {}),
        ("image/webp", "WEBP", {}),
        ("image/webp", "WEBP", {"lossless": True}),
        ("image/tiff", "TIFF", {}),
        ("image/tiff", "TIFF", {"compression": "packbits"}),
        ("image/tiff", "TIFF", {"compression": "tiff_lzw"}),
        ("image/tiff", "TIFF", {"compression": "tiff_adobe_deflate"}),
    ],
)
def test_a_picture_is_made_small(media_type, form, options):
    image, made = drawn(media_type, saved(corners(), form, **options))
    assert (made.width, made.height) == (320, 213)
    assert colours_at_corners(image) == ["red", "lime", "blue", "white"]


def test_the_side_is_as_asked_and_nothing_is_enlarged():
    data = saved(corners(300, 900), "PNG")
    assert drawn("image/png", data, side=90)[0].size == (30, 90)
    assert drawn("image/png", data, side=2048)[0].size == (300, 900)
    assert drawn("image/png", saved(corners(5000, 3), "PNG"))[0].size == (320, 1)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "RGBA", "YCbCr"])
def test_every_way_of_keeping_colours_is_drawn(mode):
    form = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    image, _made = drawn(pictures_type(form), saved(corners(mode=mode), form))
    if mode in ("L", "LA", "1"):
        assert image.convert("L").getpixel((310, 200)) == 255
    else:
        assert colours_at_corners(image) == ["red", "lime", "blue", "white"]


def pictures_type(form: str) -> str:
    return f"image/{form.lower()}"


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_are_seen(form):
    """A radiograph's twelve bits in sixteen: a cut at eight would show it all white."""
    image = Image.frombytes(
        "I;16", (400, 200), struct.pack("<80000H", *(200 + column * 9 for _ in range(200) for column in range(400)))
    )
    small, _made = drawn(pictures_type(form), saved(image, form))
    shades = [small.getpixel((column, 80)) for column in (0, 80, 160, 240, 319)]
    assert small.mode == "L"
    assert all(abs(shade - wanted) < 8 for shade, wanted in zip(shades, (0, 64, 128, 191, 255), strict=True))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_it_is_upright(form, orientation):
    """As the camera was held: the file is turned the other way, and says so."""
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = corners() if orientation == 1 else corners().transpose(back[orientation])
    image, _made = drawn(pictures_type(form), saved(lying, form, exif=exif))
    assert image.size == (320, 213)
    assert colours_at_corners(image) == ["red", "lime", "blue", "white"]


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_is_white(form):
    image = corners().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 300, 200))  # black under the glass
    image.paste((0, 0, 0, 128), (300, 0, 600, 200))
    small, _made = drawn(pictures_type(form), saved(image, form, **({"lossless": True} if form == "WEBP" else {})))
    assert colours_at_corners(small)[0] == "white"
    assert all(110 < value < 145 for value in small.getpixel((280, 20)))


@pytest.mark.parametrize("mode", ["P", "RGB", "L"])
def test_a_colour_said_to_be_transparent_is_white(mode):
    image = Image.new(mode, (40, 40))
    small, _made = drawn("image/png", saved(image, "PNG", transparency={"P": 0, "L": 0, "RGB": (0, 0, 0)}[mode]))
    assert small.convert("RGB").getpixel((20, 20)) == (255, 255, 255)


def test_nothing_of_the_metadata_is_left():
    exif = Image.Exif()
    exif[0x010E] = "MARKED description"
    exif.get_ifd(0x8825)[2] = (6.0, 55.0, 30.0)  # where it was taken
    exif.get_ifd(0x8825)[29] = "MARKED"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(
        corners(), "JPEG", exif=exif, comment=b"MARKED comment", icc_profile=profile, xmp=b"<x>MARKED</x>", dpi=(96, 96)
    )
    before = Image.open(io.BytesIO(data))
    assert data.count(b"MARKED") == 4
    assert before.getexif().get_ifd(0x8825)
    image, made = drawn("image/jpeg", data)
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not any(trace in made.jpeg for trace in (b"MARKED", b"Exif", b"ICC_PROFILE", b"http", b"8BIM"))


def test_of_a_moving_or_many_paged_picture_the_first_is_shown():
    pages = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue")]
    for form in ("PNG", "WEBP", "TIFF"):
        image, _made = drawn(pictures_type(form), saved(pages[0], form, save_all=True, append_images=pages[1:]))
        assert colours_at_corners(image) == ["red"] * 4, form


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_is_no_picture_starts_no_worker(monkeypatch):
    monkeypatch.setattr(pictures, "WORKER", Path("/nowhere"))
    assert refusal("application/pdf") == "Pages of a PDF are not shown small."
    for other in ("text/html", "image/svg+xml", "image/gif", "application/zip", "facts", "", "--help"):
        assert refusal(other) == "A file of this kind has no picture."


@pytest.mark.parametrize("media_type", sorted(pictures.DRAWN))
def test_a_file_of_another_kind_is_not_opened_as_what_it_is(media_type):
    """The kind comes from the inspection; a file that is another is not tried as anything else."""
    image = corners(40, 40)
    others = {form: saved(image, form) for form in ("JPEG", "PNG", "TIFF", "GIF", "EPS")}
    for form, data in others.items():
        if pictures_type(form) != media_type:
            assert refusal(media_type, data) == pictures.SENTENCES["broken"], form
    for data in (b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        assert refusal(media_type, data) == pictures.SENTENCES["broken"]


@pytest.mark.parametrize("compression", ["jpeg", "group4", "lzma", "zstd"])
def test_a_tiff_packed_in_a_rare_way_is_refused(compression):
    data = saved(corners(mode="1" if compression == "group4" else "RGB"), "TIFF", compression=compression)
    assert refusal("image/tiff", data) == pictures.SENTENCES["compressed"]


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def hollow_png(width: int, height: int, colour: int) -> bytes:
    """A PNG of zeros, packed a thousandfold, made without holding it: a row a time."""
    packer = zlib.compressobj(1)
    row = bytes(1 + width * {0: 1, 6: 4}[colour])
    packed = b"".join([packer.compress(row) for _ in range(height)]) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_too_many_pixels_are_refused_before_they_are_decoded():
    size = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size)
    bombs = {
        "image/png": head + chunk(b"IDAT", zlib.compress(bytes(10_000_000))) + chunk(b"IEND", b""),
        "image/jpeg": saved(corners(64, 64), "JPEG").replace(b"\x08\x00\x40\x00\x40\x03", b"\x08\x75\x30\x75\x30\x03"),
        "image/tiff": saved(corners(64, 64), "TIFF").replace(
            struct.pack("<HHIHH", 256, 4, 1, 64, 0), struct.pack("<HHII", 256, 4, 1, 2_000_000)
        ),
        "application/dicom": dicom(Rows=30_000, Columns=30_000),
    }
    for media_type, data in bombs.items():
        assert refusal(media_type, data) == pictures.SENTENCES["pixels"], media_type


def test_a_bomb_is_bounded_in_memory_and_time():
    """Just under the pixels allowed, of the kind that takes most: it is drawn, within the limits, and not in this process."""
    data = hollow_png(9_900, 9_900, colour=6)
    assert len(data) < 3_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of another test's, a browser's say
    assert drawn("image/png", data)[0].getpixel((160, 160)) == (255, 255, 255)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024  # kB
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(largest, 1024 * 1024)


def test_what_takes_too_much_memory_is_refused(tmp_path, monkeypatch):
    """As it would be for a picture of a kind that takes more than any we could make."""
    other = tmp_path / "worker.py"
    other.write_text(SAME.format(worker=str(pictures.WORKER)) + "worker.MEMORY = 2**28\nworker.main(*sys.argv[1:])\n")
    monkeypatch.setattr(pictures, "WORKER", other)
    assert refusal("image/png", hollow_png(9_900, 9_900, colour=6)) == pictures.SENTENCES["memory"]
    assert drawn("image/png", saved(corners(), "PNG"))[0].size == (320, 213)


def test_words_packed_into_a_picture_do_not_burst_it():
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(300_000_000), 9))
    whole = saved(corners(40, 40), "PNG")
    assert refusal("image/png", whole[:33] + text + whole[33:]) == pictures.SENTENCES["broken"]


def test_a_file_too_large_is_read_no_further():
    handed = []

    def endless():
        while True:
            handed.append(1)
            yield bytes(8 * 2**20)

    assert refusal("image/png", *[]) == pictures.SENTENCES["broken"]
    with pytest.raises(NoPicture, match=r"The file is too large to be shown small\."):
        picture_of("image/png", endless(), seconds=WAIT)
    assert len(handed) == 9


def test_what_the_store_raises_comes_through():
    def broken():
        yield b"\x89PNG"
        raise LookupError("the store is away")

    with pytest.raises(LookupError):
        picture_of("image/png", broken())


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_half_a_file_is_no_picture(form):
    data = saved(Image.effect_noise((200, 200), 90).convert("RGB"), form)
    for part in (1, 20, len(data) // 2, len(data) - 200):
        assert refusal(pictures_type(form), data[:part]) == pictures.SENTENCES["broken"], part


# --- the worker -------------------------------------------------------------------------------------------------------


def watched(look, *, data: bytes | None = None):
    """The chunks of a picture; between the first and the rest `look` is called with the worker's number."""
    data = data or saved(corners(), "PNG")
    before = children()

    def chunks():
        yield data[:100]
        (worker,) = children() - before
        look(worker)
        yield data[100:]

    return chunks()


def settled(pid: int) -> dict[str, str]:
    """What /proc/PID/status says, once the worker has confined itself."""
    deadline = time.monotonic() + WAIT
    while True:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        limits = Path(f"/proc/{pid}/limits").read_text()
        if [line.split()[3] for line in limits.splitlines() if line.startswith("Max open files")] == ["16"]:
            return status
        assert time.monotonic() < deadline, limits
        time.sleep(0.01)


def test_the_worker_has_no_secrets_and_little_room(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "s3cret")
    seen = {}

    def look(pid):
        seen["status"] = settled(pid)  # first: before it is itself it has no arguments yet
        seen["environ"] = Path(f"/proc/{pid}/environ").read_bytes()
        seen["arguments"] = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        rows = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
        seen["limits"] = {row[:26].strip(): row[26:].split()[:2] for row in rows}
        seen["files"] = {name for name in os.listdir(f"/proc/{pid}/fd") if int(name) < 3}
        seen["group"] = os.getpgid(pid) == os.getsid(pid) == pid
        seen["oom"] = Path(f"/proc/{pid}/oom_score_adj").read_text().strip()

    assert picture_of("image/png", watched(look), seconds=WAIT).width == 320
    assert seen["environ"] == b""
    assert seen["arguments"][1:3] == [b"-I", b"-B"]
    assert seen["status"]["NoNewPrivs"] == "1"
    assert seen["group"]
    assert seen["oom"] == "1000"
    assert seen["limits"]["Max address space"] == [str(2**30)] * 2
    assert seen["limits"]["Max cpu time"] == [str(WAIT)] * 2
    for name in ("Max file size", "Max core file size", "Max processes"):
        assert seen["limits"][name] == ["0", "0"], name


def test_it_holds_nothing_of_the_web_process_open():
    """Connections to the database and to people's browsers stay here."""
    kept, other = os.pipe()
    os.set_inheritable(kept, True)
    files = []
    try:
        picture_of("image/png", watched(lambda pid: files.extend(os.listdir(f"/proc/{pid}/fd"))), seconds=WAIT)
        assert str(kept) not in [name for name in files if int(name) > 4]
    finally:
        os.close(kept)
        os.close(other)


TRIES = """
import os, resource, socket, subprocess

def answer(kind, data, side):
    def outcome(act):
        try:
            act()
        except (OSError, ValueError, MemoryError) as error:
            return type(error).__name__
        return "done"
    rows = [
        ("read a file", outcome(lambda: open("/etc/passwd"))),
        ("write a file", outcome(lambda: open({marker!r}, "w").write("x"))),
        ("connect", outcome(lambda: socket.socket().connect(("127.0.0.1", 9)))),
        ("start a program", outcome(lambda: subprocess.run(["/bin/true"]))),
        ("take memory", outcome(lambda: bytearray(2**30))),
        ("have limits back", outcome(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16)))),
        ("secrets", ",".join(sorted(set(os.environ) - {{"LC_CTYPE"}}))),
    ]
    rest = {{"name": "", "birth_date": "", "number": "", "frames": 1, "width": 1, "height": 1, "no": ""}}
    return {{"facts": rest | {{"rows": rows}}}}, b""

worker.answer = answer
worker.main(*sys.argv[1:])
"""


def test_from_inside_nothing_can_be_opened(tmp_path, monkeypatch):
    """What a file that takes the worker over would find, as far as an account with all rights shows it."""
    marker = tmp_path / "written"
    other = tmp_path / "worker.py"
    other.write_text(SAME.format(worker=str(pictures.WORKER)) + TRIES.format(marker=str(marker)))
    monkeypatch.setattr(pictures, "WORKER", other)
    may_raise = int(re.search(r"CapEff:\s+(\w+)", Path("/proc/self/status").read_text())[1], 16) >> 24 & 1
    assert dict(facts_of([b""], seconds=WAIT).rows) == {
        "read a file": "OSError",
        "write a file": "OSError",
        "connect": "OSError",
        "start a program": "OSError",
        "take memory": "MemoryError",
        "have limits back": "done" if may_raise else "ValueError",
        "secrets": "",
    }
    assert not marker.exists()


def standing_in(tmp_path, monkeypatch, code: str) -> None:
    """Another program in the worker's place."""
    path = tmp_path / "worker.py"
    path.write_text(f"import json, os, signal, subprocess, sys, time\n{code}\n")
    monkeypatch.setattr(pictures, "WORKER", path)


@pytest.mark.parametrize(
    "code",
    [
        "time.sleep(600)",  # reads nothing
        "sys.stdin.buffer.read(); time.sleep(600)",
        "sys.stdin.buffer.read(); print('{', flush=True); time.sleep(600)",
        "while True: pass",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(600)",
        "subprocess.Popen(['/bin/sleep', '600']); sys.exit()",  # leaves somebody behind who holds the answer's pipe
    ],
)
def test_a_worker_that_hangs_is_killed_in_time_with_all_it_started(tmp_path, monkeypatch, code):
    standing_in(tmp_path, monkeypatch, code)
    groups = []
    whole = subprocess.Popen

    class Noted(whole):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            groups.append(self.pid)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    began = time.monotonic()
    with pytest.raises(NoPicture, match="took too long") as refused:
        picture_of("image/png", [bytes(2**20)] * 4, seconds=1)
    assert 0.9 < time.monotonic() - began < 6
    assert refused.value.again
    deadline = time.monotonic() + 10
    while living(groups[0]):
        assert time.monotonic() < deadline, "of its group somebody lives"
        time.sleep(0.02)


def living(group: int) -> list[str]:
    rows = subprocess.run(
        ["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [row for row in rows if row.split()[0] == str(group) and "Z" not in row.split()[1]]


@pytest.mark.parametrize(
    "code",
    [
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "sys.exit(3)",
        "sys.stdin.buffer.read(); os.abort()",
        "sys.stdin.buffer.read()",
        "print('nonsense')",
        "print('[]')",
        "sys.stdin.buffer.read(); print('[' * 100000)",
        "print(json.dumps({'width': 10, 'height': 10}))",
        "print(json.dumps({'width': 10, 'height': 10})); print('<script>')",
        'sys.stdout.buffer.write(b\'{"width": 9000, "height": 10}\\n\\xff\\xd8\\xff\')',
        'sys.stdout.buffer.write(b\'{"width": "1", "height": 10}\\n\\xff\\xd8\\xff\')',
        "print(json.dumps({'no': '<b>words of its own</b>'}))",
    ],
)
def test_a_worker_that_dies_or_talks_nonsense_gives_no_picture(tmp_path, monkeypatch, code):
    standing_in(tmp_path, monkeypatch, code)
    assert refusal("image/png", bytes(2**20), bytes(2**20)) == pictures.DIED
    with pytest.raises(NoPicture):
        facts_of([b"x"], seconds=WAIT)


def test_an_endless_answer_is_not_taken(tmp_path, monkeypatch):
    standing_in(tmp_path, monkeypatch, "sys.stdin.buffer.read(); sys.stdout.buffer.write(bytes(2**29))")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal("image/png", b"x") == pictures.DIED
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # kB


def test_what_a_worker_says_of_a_file_is_made_plain(tmp_path, monkeypatch):
    hostile = "x\u202ey\x00z" + "w" * 500
    said = {"rows": [["a\nb", hostile]] * 50, "name": hostile, "birth_date": "", "number": ""}
    said |= {"frames": 1, "width": 1, "height": 1, "no": "another word"}
    standing_in(tmp_path, monkeypatch, f"print(json.dumps({ {'facts': said}!r}))")
    facts = facts_of([b"x"], seconds=WAIT)
    rows = facts.rows
    assert facts.name == rows[0][1]
    assert facts.no == pictures.DIED
    assert len(rows) == 20
    assert rows[0][0] == "a b"
    assert rows[0][1].startswith("xyzww")
    assert len(rows[0][1]) == 200


def test_a_worker_killed_half_way_gives_no_picture():
    big = saved(Image.effect_noise((1500, 1500), 90), "PNG")
    with pytest.raises(NoPicture) as refused:
        picture_of("image/png", watched(lambda pid: os.kill(pid, signal.SIGKILL), data=big), seconds=WAIT)
    assert str(refused.value) == pictures.DIED
    assert refused.value.again


def test_the_worker_ends_with_the_process_that_started_it(tmp_path):
    """Nobody is left to end it, and it is busy: that its input ends it would not see."""
    other = tmp_path / "worker.py"
    busy = "import time\nworker.bring = lambda kind: time.sleep(600)\nworker.main(*sys.argv[1:])\n"
    other.write_text(SAME.format(worker=str(pictures.WORKER)) + busy)
    code = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from clinic.documents import pictures\n"
        "pictures.WORKER = Path(sys.argv[2])\n"
        "def chunks():\n"
        "    yield b'x'\n"
        "    (task,) = os.listdir('/proc/self/task')\n"
        "    print(open(f'/proc/self/task/{task}/children').read(), flush=True)\n"
        "    time.sleep(600)\n"
        "pictures.picture_of('image/png', chunks(), seconds=600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(Path.cwd()), str(other)], stdout=subprocess.PIPE) as parent:
        worker = int(parent.stdout.readline())
        settled(worker)
        parent.kill()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{worker}").exists() and " Z " not in Path(f"/proc/{worker}/stat").read_text():
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.05)


def test_no_more_than_two_work_at_once(tmp_path, monkeypatch):
    standing_in(tmp_path, monkeypatch, "time.sleep(600)")
    said: list[str] = []

    def ask(seconds):
        said.append(refusal("image/png", b"x", seconds=seconds))

    busy = [threading.Thread(target=ask, args=(4,)) for _ in range(pictures.AT_ONCE)]
    for thread in busy:
        thread.start()
    deadline = time.monotonic() + 3
    while pictures._places._value:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(NoPicture, match="Too many pictures") as refused:
        picture_of("image/png", [b"x"], seconds=0.5)
    assert refused.value.again
    for thread in busy:
        thread.join()
    assert said == ["Making the picture took too long."] * 2


def test_many_at_once_are_all_made():
    data = saved(corners(), "PNG")
    made: list[Picture] = []
    threads = [
        threading.Thread(target=lambda: made.append(picture_of("image/png", [data], seconds=WAIT))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len({each.jpeg for each in made}) == 1


def test_no_room_for_a_process_is_no_error(monkeypatch):
    def full(*_, **__):
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", full)
    assert refusal("image/png", b"x") == pictures.DIED


# --- DICOM ------------------------------------------------------------------------------------------------------------


def dicom(syntax=ExplicitVRLittleEndian, *, pack=False, **changes) -> bytes:
    """A small panoramic radiograph: black at the left, white at the right, in twelve bits, as its window shows it."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    file = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.PatientName, file.PatientID = "Perera^Nimal", "OTHER-4711"
    file.PatientBirthDate = "19840302"
    file.Modality, file.StudyDate, file.BodyPartExamined, file.Manufacturer = "PX", "20240131", "JAW", "Planeta Ltd"
    file.Rows, file.Columns, file.SamplesPerPixel, file.PhotometricInterpretation = 40, 64, 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    file.PixelSpacing = [0.1, 0.1]
    file.WindowCenter, file.WindowWidth = 2048, 4096
    for keyword, value in changes.items():
        if value is None:
            file.pop(keyword, None)
        elif keyword != "PixelData":
            setattr(file, keyword, value)
    if "PixelData" in changes:
        if changes["PixelData"] is not None:
            file.PixelData = changes["PixelData"]
    elif file.BitsAllocated == 16:
        file.PixelData = ramp(">" if syntax == ExplicitVRBigEndian else "<")
    else:
        file.PixelData = bytes(column * 4 for _ in range(40) for column in range(64)) * file.SamplesPerPixel
    if "PixelData" in file:
        file["PixelData"].VR = "OW"
    if pack:
        file.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    file.set_original_encoding(syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian)
    out = io.BytesIO()
    file.save_as(out, enforce_file_format=True)
    return out.getvalue()


def ramp(order: str = "<", start: int = 0, step: int = 65, form: str = "H") -> bytes:
    """A row from dark to bright, forty times."""
    return struct.pack(f"{order}64{form}", *(start + column * step for column in range(64))) * 40


def shades_of(data: bytes) -> list[int]:
    """The grey of the picture at a quarter, a half and three quarters of its width."""
    image, made = drawn("application/dicom", data)
    assert (made.width, made.height) == (64, 40)
    return [image.convert("L").getpixel((column, 20)) for column in (16, 32, 48)]


def near(found: list[int], wanted: list[int]) -> bool:
    return all(abs(a - b) <= 6 for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_radiograph_is_shown_through_its_window(syntax):
    assert near(shades_of(dicom(syntax)), [65, 129, 194])
    assert near(shades_of(dicom(syntax, WindowCenter=1024, WindowWidth=2048)), [130, 255, 255])


def test_a_packed_radiograph_is_shown():
    assert near(shades_of(dicom(pack=True)), [65, 129, 194])
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "WindowCenter": 128, "WindowWidth": 256}
    assert near(shades_of(dicom(pack=True, **eight)), [65, 128, 192])


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"PhotometricInterpretation": "MONOCHROME1"}, [190, 126, 61]),
        ({"WindowCenter": None, "WindowWidth": None}, [65, 129, 194]),
        ({"WindowCenter": [1024, 2048], "WindowWidth": [2048, 4096]}, [130, 255, 255]),
        ({"WindowWidth": 0}, [65, 129, 194]),
        ({"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 3096, "WindowWidth": 8192}, [65, 129, 194]),
        # signed: from -2048 up
        ({"PixelRepresentation": 1, "WindowCenter": 0, "WindowWidth": 4096,
          "PixelData": ramp(start=-2048, form="h")}, [65, 129, 194]),
        # the high bits hold something else, as old files have it
        ({"PixelData": struct.pack("<64H", *(0xF000 | column * 65 for column in range(64))) * 40}, [65, 129, 194]),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "WindowCenter": 128, "WindowWidth": 256}, [65, 128, 192]),
        ({"PixelData": bytes(64 * 40 * 2), "WindowCenter": None}, [0, 0, 0]),
    ],
)  # fmt: skip
def test_numbers_become_the_right_greys(changes, wanted):
    assert near(shades_of(dicom(**changes)), wanted)


def test_a_photograph_in_dicom_keeps_its_colours():
    image = corners(64, 40)
    about = {"SamplesPerPixel": 3, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PlanarConfiguration": 0}
    planes = b"".join(plane.tobytes() for plane in image.split())
    for changes in (
        {"PhotometricInterpretation": "RGB", "PixelData": image.tobytes()},
        {"PhotometricInterpretation": "RGB", "PlanarConfiguration": 1, "PixelData": planes},
        {"PhotometricInterpretation": "YBR_FULL", "PixelData": image.convert("YCbCr").tobytes()},
        {"PhotometricInterpretation": "RGB", "PixelData": image.tobytes(), "pack": True},
    ):
        shown, _made = drawn("application/dicom", dicom(**(about | changes)))
        assert colours_at_corners(shown) == ["red", "lime", "blue", "white"], changes.keys()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"NumberOfFrames": 200}, "frames"),
        ({"PixelData": None}, "nothing"),
        ({"PixelData": bytes(100)}, "broken"),
        ({"PixelData": b""}, "broken"),
        ({"Rows": 0}, "colours"),
        ({"Rows": None}, "nothing"),
        ({"BitsAllocated": 32}, "colours"),
        ({"BitsStored": 40}, "broken"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colours"),
        ({"SamplesPerPixel": 3, "BitsAllocated": 8, "PhotometricInterpretation": "HSV"}, "colours"),
    ],
)
def test_a_file_that_cannot_be_shown_says_why(changes, reason):
    if changes.get("BitsAllocated") == 32:
        changes = changes | {"PixelData": bytes(64 * 40 * 4)}
    assert refusal("application/dicom", dicom(**changes)) == pictures.SENTENCES[reason]


def test_a_compressed_radiograph_says_so():
    from pydicom.encaps import encapsulate

    jpeg = saved(Image.new("L", (64, 40)), "JPEG")
    meant = dicom(BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=b"")
    assert refusal("application/dicom", recompressed(meant, encapsulate([jpeg]))) == pictures.SENTENCES["compressed"]


def recompressed(data: bytes, body: bytes) -> bytes:
    import pydicom

    file = pydicom.dcmread(io.BytesIO(data))
    file.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    file.PixelData = body
    file["PixelData"].VR = "OB"
    file["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    file.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_the_facts_of_a_radiograph_in_words():
    rows = (
        ("Kind of image", "Panoramic radiograph (PX)"),
        ("Date of the study", "31 Jan 2024"),
        ("Part of the body", "Jaw"),
        ("Manufacturer", "Planeta Ltd"),
        ("Rows x columns", "40 x 64"),
        ("Frames", "1"),
        ("Pixel spacing", "0.1 x 0.1 mm"),
        ("Patient named in the file", "Perera, Nimal"),
        ("Born, in the file", "2 Mar 1984"),
        ("Number in the file", "OTHER-4711"),
    )
    said = facts_of([dicom()], seconds=WAIT)
    assert said == Facts(rows, "Perera^Nimal", "19840302", "OTHER-4711", frames=1, width=64, height=40)
    assert Facts.of(said.body()) == said


def test_the_facts_say_why_there_is_no_picture():
    from pydicom.encaps import encapsulate

    assert facts_of([dicom(NumberOfFrames=3)], seconds=WAIT).no == pictures.SENTENCES["frames"]
    packed = recompressed(dicom(BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=b""), encapsulate([b"\xff\xd8"]))
    assert facts_of([packed], seconds=WAIT).no == pictures.SENTENCES["compressed"]
    assert facts_of([dicom(Rows=None, PixelData=None)], seconds=WAIT).no == pictures.SENTENCES["nothing"]


def test_what_a_file_does_not_say_is_left_out():
    empty = {"Modality": "ZZ", "StudyDate": "", "BodyPartExamined": None, "Manufacturer": None, "PixelSpacing": None,
             "Rows": None, "Columns": None, "PatientName": None, "PatientBirthDate": None, "PatientID": None}  # fmt: skip
    rows = facts_of([dicom(**empty, ImagerPixelSpacing=[0.02, 0.03], PixelData=None)], seconds=WAIT).rows
    assert rows == (
        ("Kind of image", "ZZ"),
        ("Pixel spacing at the detector", "0.02 x 0.03 mm"),
        ("Patient named in the file", "nobody"),
    )


def test_a_name_in_another_script_is_read():
    for charset, name, shown in (
        ("ISO_IR 192", "පෙරේරා^නිමල්", "පෙරේරා, නිමල්"),
        ("ISO_IR 100", "Müller^Jörg", "Müller, Jörg"),
        ("ISO_IR 166", "สมชาย^ใจดี", "สมชาย, ใจดี"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "Yamada, Tarou / 山田, 太郎"),
    ):
        rows = facts_of([dicom(SpecificCharacterSet=charset, PatientName=name)], seconds=WAIT).rows
        assert rows[-3] == ("Patient named in the file", shown)


def test_the_facts_of_a_large_volume_need_its_beginning_only():
    handed = []

    def volume():
        yield dicom(NumberOfFrames=400, PixelData=None) + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 2**31)
        for _ in range(200):
            handed.append(1)
            yield bytes(8 * 2**20)

    assert ("Frames", "400") in facts_of(volume(), seconds=WAIT).rows
    assert len(handed) <= 3


def test_facts_of_what_is_no_dicom_file():
    for data in (b"", b"x" * 200, saved(corners(), "PNG"), dicom()[:150]):
        with pytest.raises(NoPicture) as refused:
            facts_of([data], seconds=WAIT)
        assert str(refused.value) == pictures.SENTENCES["broken"]


# --- hostile files ----------------------------------------------------------------------------------------------------


def seeds() -> list[tuple[str, bytes]]:
    image = Image.effect_noise((60, 45), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (6.0, 55.0, 30.0)
    return [
        ("image/jpeg", saved(image, "JPEG", exif=exif)),
        ("image/jpeg", saved(image.convert("CMYK"), "JPEG", progressive=True, comment=b"words")),
        ("image/png", saved(image, "PNG", exif=exif)),
        ("image/png", saved(image.convert("P"), "PNG", transparency=3)),
        ("image/webp", saved(image.convert("RGBA"), "WEBP", exif=exif)),
        ("image/webp", saved(image, "WEBP", lossless=True)),
        ("image/tiff", saved(image, "TIFF", compression="tiff_lzw")),
        ("image/tiff", saved(image.convert("I;16"), "TIFF")),
        ("image/tiff", saved(image, "TIFF", compression="packbits")),
        ("application/dicom", dicom()),
        ("application/dicom", dicom(pack=True)),
        ("application/dicom", dicom(ImplicitVRLittleEndian, SpecificCharacterSet="ISO_IR 192")),
    ]


EDGES = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80")


def mutant(data: bytes, chance: random.Random) -> bytes:
    """The same with some bytes flipped, cut out, doubled, put in, or turned into a number at an edge."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at = chance.randrange(max(1, len(changed)))
        length = chance.choice((1, 2, 4, 16, 64))
        act = chance.randrange(6)
        if act == 0:
            changed[at : at + 1] = bytes([chance.randrange(256)])
        elif act == 1:
            changed[at : at + 4] = chance.choice(EDGES)
        elif act == 2:
            del changed[at : at + length]
        elif act == 3:
            changed[at:at] = changed[at : at + length] * chance.choice((1, 3))
        elif act == 4:
            changed[at:at] = chance.randbytes(length)
        elif chance.random() < 0.2:
            del changed[at:]
    return bytes(changed)


@pytest.mark.soak
def test_mutated_files_give_a_picture_or_a_sentence():
    """Whatever comes, the answer is one of the two, within the time, and the process that asks does not grow."""
    chance = random.Random(soak.daily_seed())
    every, counted, longest = seeds(), {}, 0.0
    for number in range(soak.share(3000, 36)):
        media_type, data = every[number % len(every)]
        changed = mutant(data, chance)
        began = time.monotonic()
        try:
            if media_type == "application/dicom" and chance.random() < 0.5:
                rows = dict(facts_of([changed], seconds=WAIT).rows)
                said = "facts" if "Patient named in the file" in rows else "?"
            else:
                made = picture_of(media_type, [changed], seconds=WAIT)
                assert Image.open(io.BytesIO(made.jpeg)).size == (made.width, made.height)
                said = "picture"
        except NoPicture as refused:
            said = str(refused)
            assert said in KNOWN, (number, media_type, changed.hex())
        longest = max(longest, time.monotonic() - began)
        counted[said] = counted.get(said, 0) + 1
    print(f"{sum(counted.values())} files, longest {longest:.2f} s: {counted}")
    assert "picture" in counted
    assert pictures.SENTENCES["broken"] in counted
    assert longest < 20
