"""A zip that is written as it comes, the names in it, and holding one against its manifest."""

import io
import json
import os
import random
import subprocess
import unicodedata
import zipfile
from pathlib import Path

import pytest

from clinic.exports import zipped
from clinic.exports.names import LONGEST, name_of
from clinic.exports.zipped import MANIFEST, Zipped, check
from tests.soak import daily_seed, share

DATE = (2026, 3, 2, 14, 5, 0)
HOSTILE = (
    "../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/shadow", "C:\\x.png", "..", ".", "", " ", "CON", "con.png", "NUL.txt",
    "COM1", "LPT9.pdf", "aux", "a\0b.png", "a\nb\r\n.png", "\u202egnp.exe", "photo.png.exe", "x.html", "x.svg", "a" * 300 + ".png",
    "吴" * 200 + ".png", "e\u0301.png", "\u00e9.png", "trailing. ", "a:b|c?d*e<f>g\"h.png", "-rf", "~root", "$(reboot).png", "`x`.png",
    "%2e%2e%2f", "a/b/c.png", "desktop.ini", ".htaccess", "Thumbs.db", "\ufeffx.png", "\ud800.png", "👩‍🦷.png", "name\u2028line.png",
)  # fmt: skip
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def written(stream, files, about=None, **options):
    with Zipped(stream, DATE, options.get("tell", lambda *_: None)) as made:
        for name, pieces in files.items():
            made.add(name, pieces)
        return made.finish(about or {"left_out": []})


@pytest.fixture
def good(tmp_path) -> Path:
    path = tmp_path / "good.zip"
    with path.open("wb") as stream:
        written(stream, {"a.bin": [os.urandom(3000), b"x" * 9000], "data/b.json": [b"{}"], "empty": []})
    return path


class TestNames:
    @pytest.mark.parametrize("hostile", HOSTILE)
    @pytest.mark.parametrize("suffixes", [(".png",), (".jpg", ".jpeg"), ()])
    def test_whatever_it_was_called_it_is_one_harmless_file(self, hostile, suffixes):
        name = name_of(7, hostile, suffixes)
        assert name.startswith("00000007 ")
        assert name.endswith(suffixes or ".bin")
        assert len(name.encode()) <= LONGEST
        assert name.count(".") == 1
        assert name.split(".")[0].strip().lower() not in RESERVED
        assert not set(name) & set('/\\:*?"<>|%$`~\0\n\r')
        assert all(unicodedata.category(char)[0] in "LMNZP" or char == "+" for char in name)
        assert name == name.strip() == unicodedata.normalize("NFC", name)

    def test_a_name_that_fits_stays_as_it_is(self):
        assert name_of(12, "36 vorher, Schädel.JPEG", (".jpg", ".jpeg")) == "00000012 36 vorher, Schädel.jpeg"
        assert name_of(12, "نادية.pdf", (".pdf",)) == "00000012 نادية.pdf"

    def test_it_ends_as_its_content_is(self):
        assert name_of(1, "scan.html", (".png",)) == "00000001 scan_html.png"

    def test_no_two_are_alike_where_case_does_not_count(self):
        names = [name_of(number, name, (".png",)) for number, name in enumerate((*HOSTILE, "A.png", "a.png", "a.PNG"))]
        assert len({unicodedata.normalize("NFKD", name).casefold() for name in names}) == len(names)


class TestWriting:
    def test_any_program_reads_it(self, good, tmp_path):
        done = subprocess.run(["unzip", "-q", good, "-d", tmp_path / "out"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "out" / "data" / "b.json").read_bytes() == b"{}"
        with zipfile.ZipFile(good) as read:
            assert read.testzip() is None
            assert read.namelist()[-1] == MANIFEST

    def test_the_stream_is_never_turned_back(self):
        class OnlyOnwards:
            sent = b""

            def write(self, data):
                self.sent += data
                return len(data)

            def flush(self):
                pass

        stream = OnlyOnwards()
        written(stream, {"a": [b"1"], "b": [b"2" * 100_000]})
        with zipfile.ZipFile(io.BytesIO(stream.sent)) as read:
            assert read.read("b") == b"2" * 100_000

    def test_what_breaks_off_is_not_in_it_and_the_rest_is(self, tmp_path):
        def cut():
            yield b"x" * 100_000
            raise LookupError

        path = tmp_path / "cut.zip"
        with path.open("wb") as stream, Zipped(stream, DATE, lambda *_: None) as made:
            made.add("one", [b"1"])
            for name in ("cut", "cut"):
                with pytest.raises(LookupError):
                    made.add(name, cut())
            made.add("two", [b"2"])
            made.finish({})
        with zipfile.ZipFile(path) as read:
            assert read.namelist() == ["one", "two", MANIFEST]
        assert check(path).is_good
        assert subprocess.run(["unzip", "-tq", path], capture_output=True).returncode == 0

    @pytest.mark.filterwarnings("error")
    def test_left_by_an_error_it_has_no_end(self, tmp_path):
        path = tmp_path / "broken.zip"

        def broken(stream):
            with Zipped(stream, DATE, lambda *_: None) as made:
                made.add("one", [b"1"])
                raise LookupError

        with path.open("wb") as stream, pytest.raises(LookupError):
            broken(stream)
        assert path.stat().st_size > 0
        assert not zipfile.is_zipfile(path)
        assert not check(path).is_good

    @pytest.mark.parametrize("is_packed", [True, False])
    def test_sizes_of_64_bits_where_they_are_needed(self, tmp_path, is_packed, monkeypatch):
        """As with files of more than 4 GiB, with a limit that a test reaches."""
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 50_000)
        path = tmp_path / "large.zip"
        body = random.Random(1).randbytes(120_000)
        with path.open("wb") as stream, Zipped(stream, DATE, lambda *_: None) as made:
            made.add("large", [body], size=len(body), is_packed=is_packed)
            made.add("small", [b"1"], size=1)
            made.add("unknown", [body])
            made.finish({})
        assert check(path).is_good
        assert subprocess.run(["unzip", "-tq", path], capture_output=True).returncode == 0

    def test_it_tells_how_far_it_is(self, good):
        told = []
        written(io.BytesIO(), {"a": [os.urandom(1000)] * 5}, tell=lambda *far: told.append(far))
        assert [files for files, _ in told] == [0, 0, 0, 0, 0, 1]
        assert [size for _, size in told] == sorted(size for _, size in told)


def anew(path, change):
    """The same zip with `change(name, body)` for each file: another body, None to leave it out, a list of (name, body) for others."""
    with zipfile.ZipFile(path) as read:
        files = {name: read.read(name) for name in read.namelist()}
    with zipfile.ZipFile(path, "w") as made:
        for name, body in files.items():
            changed = change(name, body)
            for each, its in changed if isinstance(changed, list) else [(name, changed)]:
                if its is not None:
                    made.writestr(each, its)


class TestChecking:
    def test_a_good_one(self, good):
        checked = check(good)
        assert (checked.faults, checked.files) == ([], 4)
        assert checked.size == 12_002 + len(zipfile.ZipFile(io.BytesIO(good.read_bytes())).read(MANIFEST))
        assert check(good, digest=checked.digest.upper()).is_good

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            (lambda name, body: b"y" + body[1:] if name == "a.bin" else body, "a.bin is not what was exported"),
            (lambda name, body: body + b"y" if name == "a.bin" else body, "a.bin is longer than the 12000 bytes"),
            (lambda name, body: body[1:] if name == "a.bin" else body, "a.bin has 11999 of the 12000 bytes"),
            (lambda name, body: None if name == "a.bin" else body, "a.bin is missing"),
            (lambda name, body: [("x\x1b[2J", b""), (name, body)] if name == "empty" else body, "x?[2J is not in the"),
            (lambda name, body: [(name, body), ("late", b"")] if name == MANIFEST else body, "is not the last file"),
            (lambda name, body: None if name == MANIFEST else body, "manifest.json is missing"),
            (lambda name, body: b"{" if name == MANIFEST else body, "manifest.json cannot be read"),
            (lambda name, body: b"[" * 100_000 if name == MANIFEST else body, "manifest.json cannot be read"),
            (lambda name, body: b"[1]" if name == MANIFEST else body, "manifest.json cannot be read"),
            (lambda name, body: body.replace(b'"schema": 1', b'"schema": 2'), "of another format"),
        ],
    )
    def test_what_differs_is_named(self, good, change, fault):
        anew(good, change)
        assert any(fault in each for each in check(good).faults), check(good).faults

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_a_second_file_of_the_same_name(self, good):
        anew(good, lambda name, body: [(name, b"evil"), (name, body)] if name == "a.bin" else body)
        assert "a.bin is there twice." in check(good).faults

    def test_every_file_that_differs_is_named(self, good):
        anew(good, lambda name, body: body if name in (MANIFEST, "empty") else body + b"?")
        assert len(check(good).faults) == 2

    def test_another_export_whose_manifest_fits(self, good):
        digest = check(good).digest
        anew(good, lambda name, body: json.dumps(json.loads(body) | {"by": "me"}) if name == MANIFEST else body)
        assert check(good).is_good
        assert "is another one" in check(good, digest=digest).faults[0]

    @pytest.mark.parametrize("body", [b"", b"PK\5\6" + b"\0" * 18, b"no zip at all", b"PK\3\4" * 100])
    def test_no_zip(self, tmp_path, body):
        (tmp_path / "x").write_bytes(body)
        assert not check(tmp_path / "x").is_good

    @pytest.mark.soak
    def test_changed_bytes_are_found_or_change_nothing(self, good):
        rng, body, found = random.Random(daily_seed()), good.read_bytes(), 0
        with zipfile.ZipFile(good) as read:
            files = {name: read.read(name) for name in read.namelist()}
        number = share(20_000, 500)
        for _ in range(number):
            at, bit = rng.randrange(len(body)), 1 << rng.randrange(8)
            cut = rng.random() < 0.1
            good.write_bytes(body[:at] if cut else body[:at] + bytes([body[at] ^ bit]) + body[at + 1 :])
            if not check(good).is_good:
                found += 1
                continue
            with zipfile.ZipFile(good) as read:  # a time, an attribute: nothing that is read
                assert {name: read.read(name) for name in read.namelist()} == files
        print(
            f"seed {daily_seed()}: of {number} changed or cut exports {found} were named, the rest hold the same files"
        )
        # About a tenth of so small a zip are times and attributes, which chance hits more or less often.
        assert found > number * 0.8

    def test_the_format_is_told(self):
        assert (zipped.FORMAT, zipped.SCHEMA) == ("chairside-export", 1)
