"""A new plugin from the template: what ``labelglot new`` renders. ``guess`` looks at a sample file for it."""

from labelglot.scaffold.guess import Guess, guess
from labelglot.scaffold.render import SHAPES, SYNTAXES, Plan, plan, render

__all__ = ["SHAPES", "SYNTAXES", "Guess", "Plan", "guess", "plan", "render"]
