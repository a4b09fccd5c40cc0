"""CVAT for video: tracks, their ends and gaps, and which frames there are."""

from pathlib import Path

import labelglot as lg
import pytest
from labelglot.engine.convert import read
from labelglot.images import BytesImage
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Keypoints, Label, Mask, Polygon, Sample
from labelglot.storage import MemorySource
from labelglot.testing.strategies import png
from labelglot.testing.travel import load, store, travel
from labelglot.wire.xml import parse
from labelglot_cvat import CvatVideo

DATA = Path(__file__).parent / "data" / "cvat-video"
SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples" / "cvat-video"
FORMAT = CvatVideo()


def box(frame, x=0, outside=0, **more):
    rest = "".join(f' {name}="{value}"' for name, value in more.items())
    return f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" xtl="{x}" ytl="0" xbr="{x + 2}" ybr="2"{rest}/>'


def document(*tracks, size=""):
    meta = f"<meta><task><name>t</name><mode>interpolation</mode>{size}<labels><label><name>car</name></label></labels></task></meta>"
    body = "".join(f'<track id="{i}" label="car">{"".join(shapes)}</track>' for i, shapes in enumerate(tracks))
    return {"annotations.xml": f"<annotations><version>1.1</version>{meta}{body}</annotations>".encode()}


def opened(files, **options):
    report = Report()
    dataset = read(MemorySource(files), format=FORMAT, options=options, report=report)
    return list(dataset.read(report)), report


def codes(report):
    return {line.code: line.count for line in report.problems()}


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def tracks_of(data):
    root = parse(data, "x")
    return [
        (t.get("id"), [(s.tag, s.get("frame"), s.get("keyframe"), s.get("outside"), s.get("xtl")) for s in t])
        for t in root.iterfind("track")
    ]


def test_the_example_reads_with_exact_values():
    report = Report()
    dataset = lg.read(DATA, report=report)
    samples = list(dataset.read(report))
    assert not report.problems()
    assert [(s.path, s.frame) for s in samples] == [
        ("frame_000010.png", 10), ("frame_000013.PNG", 13), ("frame_000016.PNG", 16), ("frame_000019.PNG", 19),
    ]  # fmt: skip
    assert {(s.size, s.sequence, s.splits) for s in samples} == {((8, 4), "clip.mp4", ())}
    assert [[(a.label, a.track) for a in s.annotations] for s in samples] == [
        [("car", 5), ("hand", 6)], [("car", 5)], [], [("car", 5)],
    ]  # fmt: skip
    (first, hand), (second,), _, (last,) = (s.annotations for s in samples)
    assert (first.box, first.group, first.attributes, first.extra) == ((1, 1, 3, 3), 3, {"speed": "10"}, {})
    assert second.extra == {"cvat": {"keyframe": "0"}}
    assert last.attributes == {"occluded": True, "speed": "20"} and last.extra == {"cvat": {"z_order": 1}}
    assert hand.keypoints == Keypoints(points=(1, 2, 3, 2), visibility=(2, 1))
    assert hand.extra == {"cvat": {"source": "semi-auto"}}
    assert [label.name for label in dataset.labels] == ["car", "hand"] and dataset.labels[1].keypoints == ("wrist", "tip")


def test_the_example_is_written_as_it_was():
    files = files_of(DATA)
    dataset = load(files, FORMAT)[0]
    written = travel(dataset, FORMAT).files
    assert set(written) == {"clip.mp4/annotations.xml", "clip.mp4/images/frame_000010.png"}
    before, after = (parse(d, "x") for d in (files["annotations.xml"], written["clip.mp4/annotations.xml"]))
    shapes = [
        [[(s.tag, s.get("frame"), s.get("keyframe"), s.get("outside")) for s in t] for t in root.iterfind("track")]
        for root in (before, after)
    ]
    assert shapes[0] == shapes[1]
    assert [t.get("id") for t in after.iterfind("track")] == ["5", "6"]
    for name in ("id", "name", "size", "mode", "start_frame", "stop_frame", "frame_filter", "original_size/width"):
        assert after.findtext(f"meta/task/{name}") == before.findtext(f"meta/task/{name}")
    assert after.findtext("meta/source") == "clip.mp4"
    ended = after.findall("track/skeleton")[1]
    assert [p.get("outside") for p in ended] == ["1", "1"] and ended.get("outside") is None


def test_objects_end_where_they_are_not_seen_any_more():
    def sample(n, *tracks):
        objects = tuple(Annotation(label="c", box=(n, 0, n + 1, 1), track=t) for t in tracks)
        return Sample(path=f"frame_{n:06d}.PNG", frame=n, size=(8, 4), annotations=objects)

    dataset = Dataset([sample(0, 4, None), sample(1, 4), sample(2), sample(3, 4)], ["c"])
    trip = travel(dataset, FORMAT)
    data = trip.files["annotations.xml"]
    assert tracks_of(data) == [
        ("4", [("box", "0", "1", "0", "0"), ("box", "1", "1", "0", "1"), ("box", "2", "1", "1", "1"), ("box", "3", "1", "0", "3")]),
        ("5", [("box", "0", "1", "0", "0"), ("box", "1", "1", "1", "0")]),
    ]  # fmt: skip
    assert b"<frames>" not in data and b'<track id="5" label="c" source="manual" tracked="0">' in data
    assert [s.annotations for s in trip.dataset] == [s.annotations for s in dataset]


def test_order_and_two_objects_of_one_track_return():
    def sample(n, *tracks):
        objects = tuple(Annotation(label="c", box=(i, 0, 9, 9), track=t) for i, t in enumerate(tracks))
        return Sample(path=f"{n}.jpg", annotations=objects)

    dataset = Dataset([sample(0, 1, 2, None), sample(1, 2, 1, 2), sample(2, None, 2, 1)], ["c"])
    trip = travel(dataset, FORMAT)
    assert [s.annotations for s in trip.dataset] == [s.annotations for s in dataset]
    assert [s.frame for s in trip.dataset] == [None] * 3 and [s.path for s in trip.dataset] == ["0.jpg", "1.jpg", "2.jpg"]


def test_videos_get_a_folder_each():
    samples = [
        Sample(path=f"{s}/x.jpg", frame=3, sequence=s, size=(8, 4), annotations=(), image=BytesImage("x", png(8, 4)))
        for s in ("one", "a/b")
    ]
    trip = travel(Dataset(samples, ["c"]), FORMAT)
    assert set(trip.files) == {
        "one/annotations.xml", "one/images/one/x.jpg", "a%2Fb/annotations.xml", "a%2Fb/images/a/b/x.jpg",
    }  # fmt: skip
    assert {(s.path, s.sequence, s.frame) for s in trip.dataset} == {(s.path, s.sequence, 3) for s in samples}
    assert all(s.image is not None for s in trip.dataset)


def test_all_videos_go_into_one_document_that_is_named(tmp_path):
    objects = (Annotation(label="c", box=(1, 1, 2, 2), track=1),)
    samples = [Sample(path=f"{s}.jpg", frame=3, sequence=s, annotations=objects) for s in ("one", "two")]
    lg.write(Dataset(samples, ["c"]), tmp_path / "x.xml", format="cvat-video", images="none")
    assert [(s.sequence, s.frame, s.annotations) for s in lg.read(tmp_path / "x.xml")] == [(s.sequence, 3, objects) for s in samples]


def test_gaps_are_said_and_filled_on_demand():
    files = document([box(0, 0), box(4, 8), box(6, 8, outside=1)], size="<size>9</size>")
    samples, report = opened(files)
    assert len(samples) == 9 and [len(s.annotations) for s in samples] == [1, 0, 0, 0, 1, 0, 0, 0, 0]
    assert codes(report) == {"cvat-video.gaps": 1} and "4 frames" in report.problems()[0].sentence
    samples, report = opened(files, gaps="interpolate")
    assert [s.annotations[0].box[0] if s.annotations else None for s in samples] == [0, 2, 4, 6, 8, 8, None, None, None]
    assert samples[1].annotations[0].extra == {"cvat": {"keyframe": "0"}} and not report.problems()


def test_what_is_not_ended_goes_on_only_on_demand():
    files = document([box(0)], size="<size>3</size>")
    samples, report = opened(files)
    assert [len(s.annotations) for s in samples] == [1, 0, 0] and not report.problems()
    assert [len(s.annotations) for s in opened(files, gaps="interpolate")[0]] == [1, 1, 1]
    assert [s.frame for s in opened(files, empty=False)[0]] == [0]


def test_frame_numbers_are_never_trusted_with_memory():
    files = document([box(999_999_999), box(3)], size="<size>900000000</size><stop_frame>99999999999999</stop_frame>")
    samples, report = opened(files, empty=False)
    assert [s.frame for s in samples] == [3] and codes(report)["cvat-video.frame"] == 1


def test_images_by_number_or_by_order():
    files = document([box(7), box(8)])
    numbered = {**files, "images/shot_007.jpg": png(8, 4), "images/shot_008.jpg": png(8, 4)}
    assert [(s.path, s.size) for s in opened(numbered)[0]] == [("shot_007.jpg", (8, 4)), ("shot_008.jpg", (8, 4))]
    start = document([box(7), box(8)], size="<start_frame>7</start_frame><stop_frame>8</stop_frame>")
    named = {**start, "images/first.jpg": png(8, 4), "images/second.jpg": png(8, 4)}
    assert [s.path for s in opened(named)[0]] == ["first.jpg", "second.jpg"]


def test_the_last_of_two_shapes_in_a_frame_counts():
    (sample,), report = opened(document([box(0, 1), box(0, 5)]))
    assert [a.box[0] for a in sample.annotations] == [5] and codes(report) == {"cvat-video.twice": 1}


def test_a_mask_without_a_size_is_skipped():
    shape = '<mask frame="0" keyframe="1" outside="0" rle="0, 4" left="1" top="1" width="2" height="2"/>'
    (sample,), report = opened(document([shape]))
    assert sample.annotations == () and codes(report) == {"cvat-video.size": 1}
    size = "<original_size><width>8</width><height>4</height></original_size>"
    (sample,), _ = opened(document([shape], size=size))
    assert isinstance(sample.annotations[0].shape, Mask)


def test_tracks_of_a_project_are_told_apart():
    data = document([box(0)], [box(0)])["annotations.xml"]
    data = data.replace(b'<track id="0"', b'<track id="0" subset="train" task_id="4"').replace(
        b'<track id="1"', b'<track id="0" subset="val" task_id="5"'
    )
    samples, _ = opened({"annotations.xml": data})
    assert [(s.splits, s.sequence, s.path) for s in samples] == [
        (("train",), "task 4", "task 4/frame_000000.PNG"), (("val",), "task 5", "task 5/frame_000000.PNG"),
    ]  # fmt: skip


def test_a_skeleton_none_of_whose_points_is_labelled_is_still_there():
    points = Keypoints(points=(1, 2, 3, 4), visibility=(0, 0))
    label = Label(key="c", name="c", keypoints=("a", "b"))
    dataset = Dataset([Sample(path="a.jpg", annotations=(Annotation(label="c", keypoints=points, track=1),))], [label])
    assert next(iter(travel(dataset, FORMAT).dataset)).annotations[0].keypoints == points


def test_detection_tells_the_flavours_apart():
    from labelglot_cvat import CvatImages

    for files in (store(Dataset([Sample(path="a.jpg", annotations=())], ["c"]), FORMAT)[0], files_of(DATA)):
        video, images = FORMAT.detect(MemorySource(files)), CvatImages().detect(MemorySource(files))
        assert video.confidence > (images.confidence if images else 0)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collection of real samples is not here")
def test_real_files():
    report = Report()
    samples = {s.frame: s for s in lg.read(SAMPLES / "annotations.xml", report=report).read(report)}
    assert list(samples) == [10, 13, 16, 19] and not report.problems()
    assert [s.path for s in samples.values() if s.image is not None] == [f"frame_{n:06d}.png" for n in (10, 13, 16)]
    assert {s.size for s in samples.values()} == {(25, 20)}
    objects = {n: [(a.label, a.track, a.shape.kind if a.shape else "box") for a in s.annotations] for n, s in samples.items()}
    assert objects == {10: [("II", 0, "box"), ("klhg", 1, "points")], 13: [("II", 2, "polyline")], 16: [], 19: []}
    box_, points = samples[10].annotations
    assert box_.attributes == {"occluded": True} and points.attributes == {"hgl": "hgkf"}
    docs = {s.frame: s.annotations for s in lg.read(SAMPLES / "docs_example.xml", report=report) if s.annotations}
    assert list(docs) == [0, 6, 13] and all(isinstance(a[0].shape, Polygon) for a in docs.values())
    assert [label.name for label in lg.read(SAMPLES / "annotations.xml").labels] == ["klhg", "z U k", "II"]
