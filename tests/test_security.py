"""Hostile input, for every format: nothing outside is read or written, nothing runs, nothing is fetched, nothing explodes."""

import contextlib
import functools
import io
import json
import os
import re
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import labelglot as lg
import pytest
from labelglot.cli import main
from labelglot.errors import UnsafeInput
from labelglot.geometry import encode_string
from labelglot.images import BytesImage
from labelglot.images.probe import decode
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Keypoints, Label, Mask, Polygon, Sample, Tag, dumps
from labelglot.storage import MemorySource, MemoryTarget, open_source
from labelglot.testing.conformance import hostile_dataset
from labelglot.testing.strategies import png
from limits import bounded

THOROUGH = os.environ.get("LABELGLOT_PROFILE") == "thorough"
FORMATS = [f for f in lg.registry.formats() if f.reads and f.writes]

watched: list[tuple[str, tuple]] | None = None


def audit(event, args):
    if watched is not None and event in ("open", "os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "socket.connect",
                                         "socket.getaddrinfo", "urllib.Request", "subprocess.Popen", "os.system"):  # fmt: skip
        watched.append((event, args))


sys.addaudithook(audit)


@contextlib.contextmanager
def watching():
    """What the process opens, creates and asks the network for meanwhile."""
    global watched
    watched = found = []
    try:
        yield found
    finally:
        watched = None


def touched(events):
    """(path, whether for writing) of everything that was opened or made."""
    for event, args in events:
        if event == "open" and isinstance(args[0], str | bytes):
            mode, flags = args[1] or "", args[2] or 0
            yield Path(os.fsdecode(args[0])), bool(flags & (os.O_WRONLY | os.O_RDWR)) or any(c in str(mode) for c in "wax+")
        elif event in ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove"):
            yield from ((Path(os.fsdecode(arg)), True) for arg in args[:2] if isinstance(arg, str | bytes))


def network(events):
    return [event for event in events if event[0] in ("socket.connect", "socket.getaddrinfo", "urllib.Request", "subprocess.Popen", "os.system")]


SIZE = (64, 48)
SQUARE = (1.0, 2.0, 30.0, 2.0, 30.0, 40.0)
BLOCK = encode_string((100, 9, 39, 9, 2915))
OBJECTS = (
    Annotation(label="cat", box=(1.0, 2.0, 30.0, 40.0), shape=Polygon.of(SQUARE), text="hi", attributes={"crowd": True, "note": "x"}),
    Annotation(label="dog", box=(5.0, 5.0, 20.0, 20.0), shape=Mask(width=64, height=48, rle=BLOCK), score=0.5),
    Annotation(label="cat", box=(5.0, 5.0, 20.0, 20.0), keypoints=Keypoints(points=(6.0, 6.0, 7.0, 7.0), visibility=(2, 1))),
)
LABELS = (Label(key="cat", name="cat", id=1, keypoints=("nose", "tail")), Label(key="dog", name="dog", id=2))


def plain_dataset(name="picture.png", **more):
    image = BytesImage(name, png(*SIZE))
    samples = [
        Sample(path=name, id=1, size=SIZE, annotations=OBJECTS, tags=(Tag(label="cat"), Tag(text="a cat")), image=image, **more),
        Sample(path="other.png", id=2, size=SIZE, annotations=OBJECTS[:1], tags=(Tag(label="dog"),), image=BytesImage("other.png", png(*SIZE)), **more),
    ]  # fmt: skip
    return Dataset(samples, LABELS)


@functools.cache
def plain_files(format):
    target = MemoryTarget()
    lg.write(plain_dataset(), target, format=format)
    return target.content


def files_of(format, dataset=None):
    if dataset is None:
        return dict(plain_files(format))
    target = MemoryTarget()
    lg.write(dataset, target, format=format)
    return dict(target.content)


def is_text(path):
    return path.lower().endswith((".json", ".jsonl", ".ndjson", ".xml", ".txt", ".csv", ".tsv", ".yaml", ".yml", ".data", ".names", ".pbtxt", ".manifest"))


def read_whole(source, format):
    """Every sample in a source; a refusal is as good as data."""
    report = Report()
    try:
        format.detect(source)
        return list(lg.read(source, format=format, report=report).read(report)), report
    except lg.LabelglotError as error:
        report.problem("refused", str(error))
        return [], report


# XML

LAUGHS = ["ha" * 10, *(f"&e{i};" * 10 for i in range(9))]
BOMB = "".join(f'<!ENTITY e{i} "{text}">' for i, text in enumerate(LAUGHS))
ENTITIES = {
    "a bomb": (f"<!DOCTYPE x [{BOMB}]>", "&e9;"),
    "a file": ('<!DOCTYPE x [<!ENTITY e SYSTEM "file://SECRET">]>', "&e;"),
    "an address": ('<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:9/x">]>', "&e;"),
    "parameters": ('<!DOCTYPE x [<!ENTITY % p SYSTEM "file://SECRET"> %p; <!ENTITY e "harmless">]>', "&e;"),
    "a foreign DTD": ('<!DOCTYPE x SYSTEM "file://SECRET">', "harmless"),
}
XML = [f for f in FORMATS if any(name.endswith(".xml") for name in files_of(f))]


@pytest.mark.parametrize("what", ENTITIES)
@pytest.mark.parametrize("format", XML, ids=str)
def test_xml_entities_are_not_expanded(format, what, tmp_path):
    secret = tmp_path / "secret.dtd"
    secret.write_text("TOPSECRET")
    head, use = (part.replace("SECRET", str(secret)) for part in ENTITIES[what])
    files = files_of(format)
    for name, data in files.items():
        if name.endswith(".xml"):
            text = re.sub(r"^(\s*<\?xml.*?\?>)?", lambda m: m[0] + head, data.decode(), count=1)
            files[name] = text.replace(">cat<", f">{use}<").replace('"cat"', f'"{use}"').encode()
    with watching() as events, bounded():
        samples, _ = read_whole(MemorySource(files), format)
    assert not network(events) and not [p for p, _ in touched(events) if p == secret]
    said = b"".join(map(dumps, samples))
    assert b"TOPSECRET" not in said and len(said) < 100_000


# Archives


def archive(path, members, links=()):
    """A zip or tar of (name, content), and links of (name, target)."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, data in members:
                made.writestr(zipfile.ZipInfo(name) if "\\" in name else name, data)
            for name, to in links:
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o120777 << 16
                made.writestr(info, to)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as made:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                made.addfile(info, io.BytesIO(data))
            for name, to in links:
                for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
                    info = tarfile.TarInfo(f"{name}-{kind.decode()}")
                    info.type, info.linkname = kind, to
                    made.addfile(info)


SLIPS = ("../evil.json", "a/../../evil.json", "/etc/evil.json", "C:/evil.json", "C:\\evil.json", "..\\..\\evil.json", "//host/x.json", "a\nb.json")


@pytest.mark.parametrize("name", ["set.zip", "set.tar", "set.tar.gz"])
def test_members_that_leave_an_archive_are_not_read(name, tmp_path):
    good = sorted(files_of(lg.registry.get("coco")).items())
    slips = list(SLIPS)
    (tmp_path / "in").mkdir()
    archive(tmp_path / "in" / name, [*good, *((slip, b'{"images": []}') for slip in slips)], [("link.json", "/etc/passwd"), ("up.json", "../../x")])
    source = open_source(tmp_path / "in" / name)
    assert set(source.files()) == {path for path, _ in good}
    for slip in slips:
        with pytest.raises(lg.LabelglotError):
            source.open(slip)
    with watching() as events:
        done = lg.convert(tmp_path / "in" / name, tmp_path / "out", to="voc")
    assert done.report.number("path.unsafe") >= len(slips) + 2
    assert done.report.counts["samples.written"] == 2
    assert [p.name for p in tmp_path.iterdir()] in (["in", "out"], ["out", "in"])
    assert not [p for p, _ in touched(events) if str(p).startswith(("/etc/passwd", str(tmp_path.parent / "evil")))]


def test_an_archive_in_an_archive_stays_closed(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb.json", b"0" * (30 << 20))
    archive(tmp_path / "set.zip", [*files_of(lg.registry.get("coco")).items(), ("inner.zip", inner.getvalue())])
    with bounded():
        assert lg.convert(tmp_path / "set.zip", tmp_path / "out", to="voc").report.counts["samples.written"] == 2


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_a_member_that_unpacks_to_far_more_is_refused(name, tmp_path):
    head = b'{"images": [], "categories": [], "annotations": []}'

    class Blanks(io.RawIOBase):
        left = 250 << 20

        def readable(self):
            return True

        def readinto(self, buffer):
            number = min(len(buffer), self.left)
            buffer[:number] = (head if self.left == 250 << 20 else b"").ljust(number)
            self.left -= number
            return number

    place = tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as made, made.open("instances_train.json", "w", force_zip64=True) as out:
            out.write(head)
            for _ in range(250):
                out.write(b" " * (1 << 20))
    else:
        with tarfile.open(place, "w:gz") as made:
            info = tarfile.TarInfo("instances_train.json")
            info.size = Blanks.left
            made.addfile(info, io.BufferedReader(Blanks()))
    assert place.stat().st_size < 2 << 20
    with bounded():
        samples, report = read_whole(open_source(place), lg.registry.get("coco"))
    assert not samples and "far more than it occupies" in str(report.to_dict())
    assert main(["convert", str(place), str(tmp_path / "out"), "--from", "coco", "--to", "voc"]) == 1


def test_a_zip_that_lies_about_its_sizes(tmp_path):
    place = tmp_path / "set.zip"
    archive(place, [("instances_train.json", b"0" * (1 << 20))])
    data = place.read_bytes()
    place.write_bytes(data.replace(struct.pack("<I", 1 << 20), struct.pack("<I", 10)))
    with bounded(), pytest.raises(lg.LabelglotError):
        list(lg.read(place, format="coco"))


def many_members(number):
    """A zip of empty members, made by hand because making it should not take longer than reading it."""
    parts, directory = [], []
    offset = 0
    for i in range(number):
        name = b"%07d.txt" % i
        local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0) + name
        directory.append(struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, offset) + name)
        parts.append(local)
        offset += len(local)
    listed = b"".join(directory)
    end64 = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, number, number, len(listed), offset)
    locator = struct.pack("<IIQI", 0x07064B50, 0, offset + len(listed), 1)
    return b"".join(parts) + listed + end64 + locator + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def test_a_million_tiny_members(tmp_path, monkeypatch):
    place = tmp_path / "set.zip"
    place.write_bytes(many_members(1_000_000))
    with bounded(60):
        assert len(open_source(place).files()) == 1_000_000
    monkeypatch.setattr("labelglot.storage.archive.MAX_MEMBERS", 999_999)
    with pytest.raises(UnsafeInput, match="more than 999,999 members"):
        open_source(place).files()


# Names


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_no_name_makes_a_writer_leave_the_target(format, tmp_path):
    out = tmp_path / "deep" / "down" / "out"
    out.parent.mkdir(parents=True)
    with watching() as events:
        lg.write(hostile_dataset(), out, format=format)
    allowed = (str(out.parent), os.environ.get("TMPDIR", "/tmp") + "/labelglot-", os.environ.get("TMPDIR", "/tmp") + "/tmp", "/dev/null")
    outside = {p for p, writes in touched(events) if writes and not str(p).startswith(allowed)}
    assert not outside and out.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["deep"] and [p.name for p in (tmp_path / "deep").iterdir()] == ["down"]
    assert [p.name for p in out.parent.iterdir()] == ["out"]


NAMES = ("../../outside/picture.png", "OUTSIDE/picture.png", "file://OUTSIDE/picture.png", "..\\..\\outside\\picture.png", "link/picture.png")


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_no_name_makes_a_reader_leave_the_source(format, tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "a" / "inside"
    outside.mkdir()
    (outside / "picture.png").write_bytes(png(7, 7))
    (outside / "picture.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    for number, name in enumerate(NAMES):
        root = inside / str(number)
        wanted = name.replace("OUTSIDE", str(outside))
        for path, data in files_of(format).items():
            if path.endswith("picture.png"):
                continue
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            spelled = json.dumps(wanted)[1:-1] if path.endswith(("json", "jsonl", "ndjson", "manifest")) else wanted
            place.write_bytes(data.replace(b"picture.png", spelled.encode()) if is_text(path) else data)
        (root / "link").symlink_to(outside)
        with watching() as events:
            samples, _ = read_whole(open_source(root), format)
            for sample in samples:
                if sample.image is not None:
                    with contextlib.suppress(lg.LabelglotError):
                        assert sample.image.info().width != 7, name
        assert not [p for p, _ in touched(events) if p.resolve().is_relative_to(outside)], name


# Images


def huge_png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")


def test_an_image_of_ten_thousand_million_pixels_is_not_decoded(tmp_path):
    data = huge_png()
    with bounded(), pytest.raises(UnsafeInput, match="too large"):
        decode(data)
    info = BytesImage("a.png", data).info()
    assert (info.width, info.height) == (100_000, 100_000)
    lg.write(Dataset([Sample(path="a.png", image=BytesImage("a.png", data), annotations=())]), tmp_path / "in", format="labelglot")
    assert main(["check", str(tmp_path / "in"), "--decode", "--select", "image.corrupt"]) == 6


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_images_that_are_bombs(format):
    files = {name: huge_png() if name.endswith(".png") else data for name, data in files_of(format).items()}
    with bounded():
        samples, _ = read_whole(MemorySource(files), format)
        with contextlib.suppress(lg.LabelglotError):
            lg.write(Dataset(samples, LABELS), MemoryTarget(), format=format)


# Documents


DEEP = {".json": b"[" * 200_000, ".jsonl": b'{"a":' * 200_000, ".ndjson": b"[" * 200_000, ".yaml": b"[" * 100_000, ".xml": b"<a>" * 200_000}


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_deep_nesting(format):
    files = files_of(format)
    for name, data in files.items():
        deep = DEEP.get(Path(name).suffix)
        if deep is None:
            continue
        for damaged in (deep, data[:1] + deep, data + b"\n" + deep, data.replace(b'"cat"', deep, 1), data.replace(b'"cat"', b"[" * 5000 + b"]" * 5000)):
            with bounded():
                read_whole(MemorySource({**files, name: damaged}), format)


NUMBERS = (b"1000000000", b"99999999999999999999", b"1e308", b"-2147483649")


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_huge_numbers_allocate_nothing(format):
    """Numbers all over each document (one of each kind, where there is one for each image), one at a time."""
    files = files_of(format)
    chosen = [name for name in files if THOROUGH or "other" not in name or name.replace("other", "picture") not in files]
    for name in chosen:
        data = files[name]
        if not is_text(name):
            continue
        places = list(re.finditer(rb"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])", data))
        for turn, place in enumerate(places[:: max(1, len(places) // (12 if THOROUGH else 8))]):
            for number in NUMBERS if THOROUGH else (NUMBERS[turn % 4], NUMBERS[(turn + 1) % 4]):
                damaged = {**files, name: data[: place.start()] + number + data[place.end() :]}
                with bounded():
                    samples, _ = read_whole(MemorySource(damaged), format)
                    with contextlib.suppress(lg.LabelglotError):
                        lg.write(Dataset(samples, LABELS), MemoryTarget(), format=format)


@pytest.mark.parametrize("side", [100_000, 1_000_000_000])
@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_images_and_masks_said_to_be_huge_allocate_nothing(format, side):
    """Pictures of that size would be drawn, if someone believed what a document says of an image."""
    box, ring = (1.0, 2.0, side - 5.0, side - 4.0), (1.0, 2.0, side - 5.0, 2.0, side - 5.0, side - 4.0)
    shapes = (
        Mask(width=side, height=side, rle=encode_string((0, side * side))), Mask(width=side, height=side, rle=encode_string((side * side - 5, 5))),
        Mask(width=64, height=48, rle=encode_string((10**15,))), Polygon.of(ring, SQUARE), None,
    )  # fmt: skip
    for shape in shapes:
        objects = tuple(Annotation(label=label, box=box, shape=shape) for label in ("cat", "dog"))
        target = MemoryTarget()
        with bounded():
            try:
                lg.write(Dataset([Sample(path="a.png", size=(side, side), annotations=objects)], LABELS), target, format=format)
            except lg.LabelglotError:
                continue
            read_whole(target.written(), format)


@pytest.mark.parametrize("length", [1 << 40, (1 << 63) - 1, (1 << 64) - 1])
def test_a_record_of_a_million_million_bytes(length):
    format = lg.registry.get("tfrecord")
    for name, data in files_of(format).items():
        if "tfrecord" in name:
            damaged = struct.pack("<Q", length) + data[8:]
            with bounded():
                _, report = read_whole(MemorySource({name: damaged}), format)
            assert report.problems()


YAML = [f for f in FORMATS if any(name.endswith((".yaml", ".yml")) for name in files_of(f))]


@pytest.mark.parametrize("format", YAML, ids=str)
def test_yaml_builds_no_objects(format, tmp_path):
    mark = tmp_path / "run"
    for value in (f'!!python/object/apply:os.system ["touch {mark}"]', f'!!python/object/new:os.system ["touch {mark}"]', "!!python/name:os.system"):
        files = {n: d + b"\nevil: " + value.encode() + b"\n" if n.endswith((".yaml", ".yml")) else d for n, d in files_of(format).items()}
        with watching() as events:
            read_whole(MemorySource(files), format)
        assert not mark.exists() and not network(events)
    laughs = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9))
    files = {n: laughs + d if n.endswith((".yaml", ".yml")) else d for n, d in files_of(format).items()}
    with bounded():
        read_whole(MemorySource(files), format)


# What comes out


def test_a_formula_in_a_table_is_pointed_out(tmp_path, capsys):
    name = "=HYPERLINK(\"http://x\")"
    dataset = Dataset([Sample(path="-a.png", size=SIZE, annotations=(Annotation(label=name, box=(1.0, 2.0, 3.0, 4.0)),))], [name])
    for format in FORMATS:
        if not {".csv", ".tsv"} & set(format.documents):
            continue
        done = lg.write(dataset, MemoryTarget(), format=format)
        (line,) = [line for line in done.report.problems() if line.code == "csv.formula"]
        assert line.severity == "info"


EVIL = "\x1b]0;owned\x07\x1b[2J\u202etxt.exe\x9b31m"


def test_names_do_not_command_the_terminal(tmp_path, capfd):
    objects = (Annotation(label=f"cat{EVIL}", box=(5.0, 2.0, 1.0, 90.0), attributes={EVIL: EVIL}),)
    samples = [Sample(path=f"a{EVIL}.png", size=SIZE, splits=(EVIL,), annotations=objects), Sample(path="b.png", annotations=None)]
    source = tmp_path / "in.jsonl"
    lg.write(Dataset(samples, [f"cat{EVIL}"]), source, format="labelglot")
    text = source.read_text(encoding="utf-8")
    (tmp_path / f"x{EVIL}.json").write_text('{"images": 3')
    out = str(tmp_path / "out")
    for command in (
        ["inspect", str(source)], ["check", str(source)], ["convert", str(source), out, "--to", "yolo", "--fix"], ["loss", str(source), "--to", "voc"],
        ["diff", str(source), out, "--format-b", "yolo"], ["convert", str(source), str(tmp_path / EVIL), "--to", "nothing" + EVIL],
        ["inspect", str(tmp_path / f"x{EVIL}.json")], ["convert", str(source), out, "--to", "yolo", "-o", f"{EVIL}=1"],
        ["formats", EVIL], ["check", str(source), "--select", EVIL],
    ):  # fmt: skip
        for more in ([], ["--json"]):
            main([*command, *more])
            shown = "".join(capfd.readouterr())
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown), (command, shown)
    assert "owned" in text


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_addresses_are_never_fetched(format, tmp_path):
    dataset = plain_dataset(uri="http://127.0.0.1:9/picture.png")
    files = {
        name: data.replace(b"picture.png", b"http://127.0.0.1:9/picture.png") if is_text(name) else data
        for name, data in files_of(format, dataset).items()
        if not name.endswith("picture.png")
    }
    with watching() as events:
        samples, _ = read_whole(MemorySource(files), format)
        lg.write(Dataset(samples, LABELS), MemoryTarget(), format=format)
    assert not network(events)
