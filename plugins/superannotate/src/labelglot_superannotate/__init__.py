"""SuperAnnotate JSON (``superannotate``)."""

from labelglot_superannotate.superannotate import SuperAnnotate

__all__ = ["SuperAnnotate"]
