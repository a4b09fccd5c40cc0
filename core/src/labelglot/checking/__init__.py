"""What is wrong with an input: a catalogue of problems, checks that find them in any format, and safe fixes."""

from labelglot.checking.catalogue import CATALOGUE, Entry, entry_of
from labelglot.checking.findings import Checked, Finding, check
from labelglot.checking.fixes import Fixer, Undo, fix_sample, load_fixes, save_fixes, undo_fixes
from labelglot.checking.visitor import CheckVisitor, look
from labelglot.report import Fix

__all__ = [
    "CATALOGUE", "CheckVisitor", "Checked", "Entry", "Finding", "Fix", "Fixer", "Undo", "check", "entry_of", "fix_sample",
    "load_fixes", "look", "save_fixes", "undo_fixes",
]  # fmt: skip
