"""The raster layer: all masks of an image as runs of numbers, row by row. A pixel belongs to one mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelglot.geometry import decode_string, encode_string, paste, stack
from labelglot.geometry.rle import MAX_PIXELS
from labelglot.plugin import LabelglotError, Mask


class Layer:
    """A layer that is read: its runs, the size they fill, and the number of each annotation."""

    def __init__(self, runs: Sequence[int], numbers: Mapping[str, int], size: tuple[int, int]) -> None:
        import numpy as np

        width, height = size
        counts = runs[1::2]
        if len(runs) % 2:
            raise LabelglotError("the runs of a raster layer are no pairs of value and count")
        if min(counts, default=0) < 0 or sum(counts) != width * height or width * height > MAX_PIXELS:
            raise LabelglotError(f"a raster layer has {sum(counts)} pixels, the image {width} x {height}")
        self.size, self.numbers = size, numbers
        self.values = np.array(runs[::2])
        self.edges = np.cumsum([0, *counts])

    def mask(self, annotation: str) -> Mask | None:
        """The mask of an annotation, ``None`` if the layer does not know it."""
        import numpy as np

        number = self.numbers.get(annotation)
        if number is None:
            return None
        width, height = self.size
        at = np.flatnonzero((self.values == number) & (np.diff(self.edges) > 0))
        if not at.size:
            return Mask(width=width, height=height, rle=encode_string((width * height,)))
        first, last = int(self.edges[at[0]]) // width, (int(self.edges[at[-1] + 1]) - 1) // width + 1
        steps = np.zeros((last - first) * width + 1, dtype=np.int8)
        np.add.at(steps, self.edges[at] - first * width, 1)
        np.add.at(steps, self.edges[at + 1] - first * width, -1)
        rows = np.cumsum(steps[:-1], dtype=np.int8).reshape(last - first, width)
        return Mask(width=width, height=height, rle=encode_string(paste(rows, 0, first, height, width)))


def layers(masks: Sequence[tuple[str, Mask]], size: tuple[int, int]) -> list[dict[str, Any]]:
    """The masks of an image, by annotation, as few layers as it takes for no two of a layer to overlap."""
    width, height = size
    found = stack(((annotation, decode_string(mask.rle)) for annotation, mask in masks), height, width)
    return [
        {"dense_rle": _runs(values), "mask_annotation_ids_mapping": numbers, "total_pixels": width * height}
        for values, numbers in found
    ]


def _runs(values: Any) -> list[int]:
    import numpy as np

    flat = values.ravel()
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    counts = np.diff(np.append(starts, flat.size))
    runs: list[int] = np.column_stack((flat[starts], counts)).ravel().tolist()
    return runs


__all__ = ["Layer", "layers"]
