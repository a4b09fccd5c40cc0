"""Errors a person can act on: what happened, where, and what to do next."""

from __future__ import annotations


class LabelglotError(Exception):
    """Any failure that labelglot reports on purpose.

    ``place`` says where (``file``, ``file:line`` or ``file#json.path``), ``hint`` what to do next.
    All arguments are kept in ``args``, so that errors survive pickling between processes.
    """

    code = "error"

    def __init__(self, message: str, place: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, place, hint)
        self.message = message
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}.  {self.hint}" if self.hint else text


class UnsafePath(LabelglotError):
    """A path in the input or output would leave the folder it belongs to."""

    code = "path.unsafe"


class UnsafeInput(LabelglotError):
    """The input exceeds a safety limit (archive ratio, pixel count, nesting depth, entity...)."""

    code = "input.unsafe"


class SourceError(LabelglotError):
    """The source cannot be opened or read."""

    code = "source"


class TargetError(LabelglotError):
    """The target cannot be written, or exists already."""

    code = "target"


class FormatUnknown(LabelglotError):
    """No installed format has this id, or none recognises the source."""

    code = "format.unknown"


class FormatAmbiguous(LabelglotError):
    """Several formats recognise the source equally well."""

    code = "format.ambiguous"


class PluginError(LabelglotError):
    """A plugin could not be loaded, or broke its contract."""

    code = "plugin"


class OptionError(LabelglotError):
    """An option does not exist or has a value that its format refuses."""

    code = "option"


class StrictError(LabelglotError):
    """``strict`` was asked for and the input has a problem."""

    code = "strict"


class LossRefused(LabelglotError):
    """``lossless`` was asked for and the target cannot hold everything."""

    code = "lossless"


class VerifyError(LabelglotError):
    """What was written does not read back as what was promised."""

    code = "verify"


class Cancelled(LabelglotError):
    """The caller's cancel token stopped the work."""

    code = "cancelled"
