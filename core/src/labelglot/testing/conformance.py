"""What every format must do, whoever wrote it. ``TestAcme = conformance("acme")`` in a test module is the whole suite.

A format that is handed only what it holds must return exactly that: so the checks build datasets from ``holds``, send
them through the writer and the reader, and compare with the projection. They also hold the projection to its word:
the losses it reports are the differences there are.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from labelglot.errors import LabelglotError
from labelglot.formats.base import Format
from labelglot.formats.registry import Registry, default_registry
from labelglot.holds import EVERYTHING
from labelglot.projection.alike import is_ring
from labelglot.projection.objects import outline
from labelglot.report import Report
from labelglot.schema import Annotation, Dataset, Label, Records, Sample
from labelglot.schema.columns import Boxes, Columns
from labelglot.schema.dataset import read_columns
from labelglot.storage import MemorySource, safe_relative
from labelglot.testing.explain import explain, other_bytes
from labelglot.testing.mutation import mutations
from labelglot.testing.strategies import datasets
from labelglot.testing.travel import (
    Trip,
    differences,
    load,
    load_lazily,
    projected,
    reported,
    store,
    travel,
    unexpected,
)

SEARCH = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without looking for a smaller example: damaged bytes do not get clearer by it, and it can take minutes."""
SHRINK = (*SEARCH, Phase.shrink)


def returns_what_it_holds(format: Format, dataset: Dataset) -> Trip:
    """A written dataset reads back as its projection, without a record being skipped."""
    done = projected(dataset, format)
    files, written = store(dataset, format)
    try:
        trip = _trip(files, written, format)
    except LabelglotError as error:
        raise AssertionError(
            explain(f"the reader refuses what the writer wrote: {error}", (), format, done.dataset, files)
        ) from error
    changes = unexpected(done.dataset, trip.dataset, format)
    if changes:
        raise AssertionError(
            explain("a round trip does not return what `holds` declares", changes, format, done.dataset, trip.files)
        )
    skipped = [line.sentence for line in trip.read.problems() if trip.read.skipped]
    if skipped:
        raise AssertionError(
            explain(f"the reader skips what the writer wrote: {skipped}", (), format, done.dataset, trip.files)
        )
    return trip


def _trip(files: dict[str, bytes], written: Report, format: Format) -> Trip:
    returned, report = load(files, format)
    return Trip(files, returned, written, report)


def reports_what_it_loses(format: Format, dataset: Dataset) -> None:
    """The losses reported are exactly the differences between the dataset and what comes back."""
    done = projected(dataset, format)
    said = reported(done)
    real = differences(dataset, done)
    if said != real:
        silent, invented = sorted(map(str, real - said)), sorted(map(str, said - real))
        raise AssertionError(
            explain(f"lost without a word: {silent}; reported but kept: {invented}", (), format, dataset)
        )


def settles(format: Format, dataset: Dataset) -> None:
    """A second trip changes nothing, neither in the data nor in the files."""
    first = travel(dataset, format)
    second = travel(first.dataset, format)
    changes = unexpected(first.dataset, second.dataset, format)
    if changes:
        raise AssertionError(
            explain("a second round trip changes the data again", changes, format, first.dataset, second.files)
        )
    third = store(second.dataset, format)[0]
    if second.files != third:
        names = sorted(n for n in {*second.files, *third} if second.files.get(n) != third.get(n))
        where = other_bytes(second.files, third)
        raise AssertionError(
            explain(f"writing the same data twice gives other bytes in {names}: {where}", (), format, first.dataset, third)
        )


def is_detected(format: Format, dataset: Dataset) -> None:
    """The format recognises its own output, unless there is nothing in it."""
    files = store(dataset, format)[0]
    reduced = projected(dataset, format).dataset
    if any(sample.annotations or sample.tags for sample in reduced) and format.detect(MemorySource(files)) is None:
        raise AssertionError(explain("`detect` does not recognise the format's own output", (), format, dataset, files))


def writes_the_same_in_pieces(format: Format, dataset: Dataset) -> None:
    """Output bytes do not depend on how the work is cut into chunks."""
    whole, pieces = store(dataset, format)[0], store(dataset, format, chunk=1)[0]
    if whole != pieces:
        names = sorted(n for n in {*whole, *pieces} if whole.get(n) != pieces.get(n))
        raise AssertionError(
            explain(f"the bytes of {names} depend on how the work is cut into chunks", (), format, dataset, pieces)
        )


def travels_between_processes(format: Format, dataset: Dataset) -> None:
    """What the reader hands to workers pickles, and its pieces add up to the whole for any number of pieces."""
    files = store(dataset, format)[0]
    whole = list(load(files, format)[0])
    for number in (2, 5):
        parts = pickle.loads(pickle.dumps(load_lazily(files, format).partitions(number)))
        samples = [sample for part in parts for sample in part.read(Report())]
        assert samples == whole, explain(f"{number} partitions differ from plain reading", (), format, dataset, files)


class _InColumns:
    """A decoder of samples at hand that leaves their objects, which are alike, in columns."""

    def __call__(self, record: Sample, ordinal: int, report: Report) -> Sample:
        return record

    def in_columns(self, records: Iterable[Sample], ordinal: int, report: Report) -> Iterator[Sample]:
        for record in records:
            found = record.annotations or ()
            if not found:
                yield record
                continue
            boxes, ids, shapes, extras = (
                None if any(value is None or value == {} for value in column) else column
                for column in zip(*((a.box, a.id, a.shape, a.extra) for a in found), strict=True)
            )
            like = found[0].replace(label=None, box=None, id=None, **({} if shapes is None else {"shape": None}))
            like = like if extras is None else like.replace(extra={})
            side_by_side = None if boxes is None else Boxes.of(boxes)
            columns = Columns([a.label or "" for a in found], side_by_side, ids, like, shapes, extras)
            yield record.replace(annotations=columns.as_annotations())


def _alike(sample: Sample) -> Sample:
    """A sample with those of its objects that are like the first one but for class, box, id, shape and extras."""
    found = [a for a in sample.annotations or () if a.label is not None and outline(a) is not None]
    kept = [
        a
        for a in found
        if outline(a) == outline(found[0])
        and a.replace(label=None, box=None, id=None, shape=None, extra={})
        == found[0].replace(label=None, box=None, id=None, shape=None, extra={})
    ]
    return sample.replace(annotations=None if sample.annotations is None else tuple(kept))


def _uniform(samples: Sequence[Sample], part: str) -> list[Sample]:
    """Samples of one split without anything but objects with a class and a box or a ring, as most of a large dataset are."""
    found: dict[str, Sample] = {}
    for sample in samples:
        kept = []
        for a in sample.annotations or ():
            value = getattr(a, part)
            if a.label is not None and ((part == "box" and value is not None) or is_ring(value)):
                kept.append(Annotation(label=a.label).replace(**{part: value}))
        found.setdefault(sample.path, sample.replace(tags=(), splits=samples[0].splits, annotations=tuple(kept)))
    return list(found.values())


def _by_itself(format: Format) -> Format:
    """The format, encoding each sample by itself."""
    alone = copy(format)
    alone.encode_many = lambda samples, context: None  # type: ignore[method-assign]
    return alone


def takes_columns_for_objects(format: Format, dataset: Dataset) -> None:
    """It makes no difference whether the objects of an image come one by one or in columns, nor whether samples are encoded
    together.
    """
    samples = list(dataset)
    for plain in ([_alike(sample) for sample in samples], _uniform(samples, "box"), _uniform(samples, "shape")):
        one_by_one, said = store(dataset.replace(samples=plain), _by_itself(format))
        together, also = store(dataset.replace(samples=Records(plain, _InColumns())), format)
        if one_by_one != together or said.to_dict() != also.to_dict():
            other = other_bytes(one_by_one, together)
            raise AssertionError(explain(f"objects in columns are written otherwise: {other}", (), format, dataset, together))
    for part in load_lazily(one_by_one, format).partitions(2):
        said, also = Report(), Report()
        alone = list(part.read(said))
        in_columns = [s.replace(annotations=s.annotations and tuple(s.annotations)) for s in read_columns(part, also)]
        if alone != in_columns or said.to_dict() != also.to_dict():
            raise AssertionError(explain("objects in columns are read otherwise", (), format, dataset, one_by_one))


def stays_inside(format: Format, dataset: Dataset) -> None:
    """No image name, however hostile, makes the format write outside the target."""
    for name in store(dataset, format)[0]:
        assert safe_relative(name) == name, explain(f"it writes to {name!r}", (), format, dataset)


def survives_damage(format: Format, dataset: Dataset, damage: Callable[[Mapping[str, bytes]], dict[str, bytes]]) -> None:
    """A damaged file gives data, problems or a LabelglotError - never another exception."""
    files = damage(store(dataset, format)[0])
    try:
        format.detect(MemorySource(files))
        load(files, format)
    except LabelglotError:
        return
    except Exception as error:
        raise AssertionError(
            explain(f"a damaged file raises {type(error).__name__}: {error}", (), format, None, files)
        ) from error


HOSTILE = ("../../x.jpg", "/etc/x.jpg", "C:\\x.jpg", "a/../../b.jpg", "..\\..\\x.jpg", "a\nb.jpg", "con.jpg", "x" * 300 + ".jpg")


def hostile_dataset() -> Dataset:
    """Images whose names try to leave the folder, with and without a split."""
    from labelglot.images import BytesImage
    from labelglot.testing.strategies import png

    objects = (Annotation(label="../evil", box=(1.0, 2.0, 3.0, 4.0)),)
    samples = [
        Sample(path=name, size=(64, 48), annotations=objects, splits=splits, image=BytesImage(name, png(64, 48)))
        for name in HOSTILE
        for splits in ((), ("../../up",))
    ]
    return Dataset(samples, ["../evil"])


def odd_datasets() -> Mapping[str, Dataset]:
    """Small datasets that break converters, by what is odd about them."""
    box = (Annotation(label="a b", box=(1.0, 2.0, 3.5, 4.25)),)
    size = (64, 48)

    def sample(path: str, *splits: str, **more: Any) -> Sample:
        return Sample(**{"path": path, "splits": splits, "size": size, "annotations": box, **more})

    labels = (Label(key="unused", name="unused"), Label(key="a b", name="a b"))
    return {
        "no image at all": Dataset([], labels),
        "nothing found, nobody looked": Dataset(
            [sample("a.jpg", annotations=()), sample("b.jpg", annotations=None), sample("c.jpg")], labels
        ),
        "one name in two splits": Dataset([sample("a.jpg", "train"), sample("a.jpg", "val")], labels),
        "one base name in two folders": Dataset([sample("x/a.jpg"), sample("y/a.jpg")], labels),
        "one stem with two suffixes": Dataset([sample("a.jpg"), sample("a.png")], labels),
        "names that differ in case": Dataset([sample("A.jpg"), sample("a.jpg")], labels),
        "unknown size": Dataset([sample("a.jpg", size=None), sample("b.jpg", size=None, units="relative")], labels),
        "dots, blanks and unicode in names": Dataset(
            [sample("été 1/a.b.c.jpg"), sample(" lead.jpg"), sample("ü.jpg"), sample("trail .jpg")], labels
        ),
        "several splits, one odd": Dataset([sample("a.jpg", "fold 1"), sample("b.jpg"), sample("c.jpg", "test")], labels),
    }


def conformance(
    format: str | Format, *, registry: Registry | None = None, max_examples: int | None = None
) -> type[Any]:
    """A test class with the whole suite for one format: assign it to a name that starts with ``Test``.

    ``format``: id of an installed format, or a format object. ``max_examples``: datasets per check (default: the
    hypothesis profile's number).
    """
    found = (registry or default_registry()).get(format) if isinstance(format, str) else format
    return type(f"Conformance_{found.id}", (_Suite,), {"format": found, **_tests(found, max_examples)})


class _Suite:
    format: Format


def _tests(format: Format, max_examples: int | None) -> dict[str, Any]:
    if not (format.reads and format.writes):
        return {}

    def generated(check: Callable[[Format, Dataset], Any], holds: Any, share: float = 1.0) -> Any:
        number = max_examples or settings().max_examples

        @settings(
            max_examples=max(1, int(number * share)), suppress_health_check=list(HealthCheck), deadline=None,
            phases=SHRINK, report_multiple_bugs=False,
        )  # fmt: skip
        @given(dataset=datasets(holds))
        def test(self: Any, dataset: Dataset) -> None:
            try:
                check(format, dataset)
            except LabelglotError as error:
                raise AssertionError(explain(f"it fails: {error}", (), format, dataset)) from error

        test.__doc__ = check.__doc__
        return test

    def odd(name: str) -> Any:
        def test(self: Any) -> None:
            dataset = odd_datasets()[name]
            returns_what_it_holds(format, dataset)
            reports_what_it_loses(format, dataset)
            settles(format, dataset)

        test.__doc__ = name
        return test

    @settings(
        max_examples=max_examples or settings().max_examples, suppress_health_check=list(HealthCheck), deadline=None,
        phases=SEARCH, report_multiple_bugs=False,
    )  # fmt: skip
    @given(data=st.data())
    def damaged(self: Any, data: Any) -> None:
        dataset = data.draw(datasets(format.holds))
        survives_damage(format, dataset, lambda files: data.draw(mutations(files)))

    def hostile(self: Any) -> None:
        stays_inside(format, hostile_dataset())

    tests: dict[str, Any] = {
        "test_returns_what_it_holds": generated(returns_what_it_holds, format.holds),
        "test_reports_what_it_loses": generated(reports_what_it_loses, EVERYTHING),
        "test_reduces_anything": generated(returns_what_it_holds, EVERYTHING, 0.5),
        "test_settles": generated(settles, format.holds, 0.25),
        "test_is_detected": generated(is_detected, format.holds, 0.25),
        "test_writes_the_same_in_pieces": generated(writes_the_same_in_pieces, format.holds, 0.25),
        "test_travels_between_processes": generated(travels_between_processes, format.holds, 0.1),
        "test_takes_columns_for_objects": generated(takes_columns_for_objects, format.holds, 0.25),
        "test_survives_damage": damaged,
        "test_stays_inside": hostile,
    }
    for name in odd_datasets():
        tests["test_odd_" + "".join(c if c.isalnum() else "_" for c in name)] = odd(name)
    return tests


def check_pairs(source: Format, targets: Sequence[Format], dataset: Dataset) -> None:
    """What ``source`` returns of a dataset arrives in every target as the projection says."""
    start = travel(dataset, source).dataset
    for target in targets:
        try:
            returns_what_it_holds(target, start)
        except AssertionError as error:
            raise AssertionError(f"{source.id} -> {error}") from error
        except LabelglotError as error:
            raise AssertionError(explain(f"{source.id} -> {target.id} fails: {error}", (), target, start)) from error


__all__ = ["check_pairs", "conformance", "hostile_dataset", "odd_datasets"]
