"""Pure geometry on plain numbers: boxes, rings, rotated boxes, run-length masks. See ``labelglot.schema.shape`` for
the frame of coordinates.
"""

from labelglot.geometry.box import (
    box_area,
    box_iou,
    clip_box,
    contains,
    corners,
    from_center,
    from_xywh,
    is_valid,
    to_center,
    to_xywh,
)
from labelglot.geometry.raster import box_to_counts, rasterise, rings_from_counts
from labelglot.geometry.ring import (
    affine,
    bridge,
    clip_half_plane,
    clip_ring,
    ellipse_to_ring,
    is_inside,
    is_self_crossing,
    is_upright,
    nest,
    points,
    ring_area,
    ring_bounds,
    signed_area,
)
from labelglot.geometry.rle import (
    Counts,
    crop,
    decode_string,
    encode_string,
    from_bitmap,
    from_row_major,
    mask_area,
    mask_bounds,
    merge,
    mirror,
    paste,
    stack,
    to_bitmap,
    to_row_major,
    turn,
    window,
)
from labelglot.geometry.rotated import (
    center_from_corners,
    convex_hull,
    corners_from_center,
    corners_from_pivot,
    is_rotated_box,
    min_area_rect,
    rotated_iou,
    upside_down,
)

__all__ = [
    "Counts", "affine", "box_area", "box_iou", "box_to_counts", "bridge", "center_from_corners", "clip_box", "clip_half_plane",
    "clip_ring", "contains", "convex_hull", "corners", "corners_from_center", "corners_from_pivot", "crop", "decode_string",
    "ellipse_to_ring", "encode_string", "from_bitmap", "from_center", "from_row_major", "from_xywh",
    "is_inside", "is_rotated_box", "is_self_crossing", "is_upright", "is_valid", "mask_area", "mask_bounds", "merge",
    "min_area_rect", "mirror", "nest", "paste", "points", "rasterise", "ring_area", "ring_bounds", "rings_from_counts",
    "rotated_iou", "signed_area", "stack",
    "to_bitmap", "to_center", "to_row_major", "to_xywh", "turn", "upside_down", "window",
]  # fmt: skip
