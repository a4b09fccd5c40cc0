"""Label Studio (``label-studio``)."""

from labelglot_label_studio.label_studio import LabelStudio

__all__ = ["LabelStudio"]
