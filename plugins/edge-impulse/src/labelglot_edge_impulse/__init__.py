"""Edge Impulse: ``info.labels`` and ``bounding_boxes.labels``."""

from labelglot_edge_impulse.edge_impulse import EdgeImpulse

__all__ = ["EdgeImpulse"]
