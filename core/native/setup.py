"""Builds the compiled module where there is a compiler for it; without one the package is empty, and nobody misses it."""

import os
import sys

from setuptools import Extension, setup

FLAGS = ["/std:c++17", "/O2"] if sys.platform == "win32" else ["-std=c++17", "-O2", "-ffp-contract=off"]

setup(
    ext_modules=[
        Extension(
            f"labelglot_native.{name}", [f"src/labelglot_native/{name}.pyx"], language="c++", extra_compile_args=FLAGS, optional=True
        )
        for name in ("boxes", "files", "objects", "rows")
    ],
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
