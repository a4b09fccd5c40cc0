"""Makes the environments of the consumers, ``.venv-NAME`` at the top of the repository, where the tests find them.

usage: python tests/consumers/install.py [--heavy] [--oracles] [--fuzz] [--all]

The light consumers, and what is asked for beside them: large ones, other converters, the fuzzer. What cannot be installed here is
named and left out, and its tests are skipped. It needs nothing but Python; uv is used where there is one, because it takes seconds
where pip takes minutes.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
COMMAND = "python tests/consumers/install.py"


@dataclass(frozen=True)
class Environment:
    """What belongs together in one environment, because the pins of others clash with it."""

    name: str
    group: str
    packages: tuple[str, ...]
    alone: tuple[str, ...] = ()
    """Installed without what these ask for: packages has what they use of it."""


def light() -> tuple[str, ...]:
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


ENVIRONMENTS = (
    Environment("consumers", "light", light()),
    # The versions of torch and torchvision belong together. One environment serves torchvision and Ultralytics.
    Environment(
        "torch", "heavy",
        ("torch==2.13.0", "numpy", "pillow", "pycocotools", "opencv-python-headless", "matplotlib", "pandas", "polars", "psutil", "pyyaml", "requests", "scipy", "setuptools", "tqdm"),
        ("torchvision==0.28.0", "ultralytics>=8.4", "ultralytics-thop>=2.2"),
    ),
    Environment("tensorflow", "heavy", ("tensorflow-cpu>=2.21",)),
    Environment("datumaro", "oracles", ("datumaro>=1.13",)),
    Environment("panlabel", "oracles", ("panlabel>=0.7",)),
)  # fmt: skip
GROUPS = {"heavy": "torchvision and Ultralytics (5 GB), TensorFlow (1.5 GB)", "oracles": "datumaro and panlabel", "fuzz": "the coverage-guided fuzzer"}
PROGRAMS = {
    "LABELGLOT_CONSUMERS_PYTHON": ("consumers", "python"),
    "LABELGLOT_TORCHVISION_PYTHON": ("torch", "python"),
    "LABELGLOT_ULTRALYTICS_PYTHON": ("torch", "python"),
    "LABELGLOT_TENSORFLOW_PYTHON": ("tensorflow", "python"),
    "LABELGLOT_DATUMARO_PYTHON": ("datumaro", "python"),
    "LABELGLOT_PANLABEL": ("panlabel", "panlabel"),
    "LABELGLOT_FUZZ_PYTHON": ("fuzz", "python"),
}
"""The program that a variable names, and where it is without the variable."""


def place(environment: str, program: str = "python") -> Path:
    folder = ROOT / f".venv-{environment}"
    return folder / "Scripts" / f"{program}.exe" if os.name == "nt" else folder / "bin" / program


def program(variable: str) -> str | None:
    """What an environment variable names, or what this module has installed, or nothing."""
    usual = place(*PROGRAMS[variable])
    return os.environ.get(variable) or (str(usual) if usual.exists() else None)


def how(group: str) -> str:
    return COMMAND if group == "light" else f"{COMMAND} --{group}"


def uv() -> list[str] | None:
    found = os.environ.get("UV") or shutil.which("uv")
    return [found] if found else [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else None


def succeeds(*command: str | Path, **variables: str) -> bool:
    print("+", *command, flush=True)
    return subprocess.run([str(c) for c in command], cwd=ROOT, env={**os.environ, **variables}, check=False).returncode == 0


def make(environment: Environment) -> list[str]:
    """An environment with all of its packages; those that cannot be installed."""
    python, tool = place(environment.name), uv()
    venv = [*tool, "venv", "--quiet", "--python", sys.executable] if tool else [sys.executable, "-m", "venv"]
    if not python.exists() and not succeeds(*venv, ROOT / f".venv-{environment.name}"):
        return [environment.name]
    if tool:
        install = [*tool, "pip", "install", "--quiet", "--python", str(python), "--overrides", str(HERE / "overrides.txt")]
    else:
        install = [str(python), "-m", "pip", "install", "--quiet"]
    missing = [] if succeeds(*install, *environment.packages) else [p for p in environment.packages if not succeeds(*install, p)]
    return missing + [p for p in environment.alone if not succeeds(*install, "--no-deps", p)]


def make_fuzz() -> list[str]:
    """The project itself, beside the fuzzer."""
    tool = uv()
    if not tool:
        return ["the fuzzer, which needs uv"]
    done = succeeds(*tool, "sync", "--quiet", "--group", "fuzz", UV_PROJECT_ENVIRONMENT=str(ROOT / ".venv-fuzz"))
    return [] if done else ["atheris"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for group, what in GROUPS.items():
        parser.add_argument(f"--{group}", action="store_true", help=what)
    parser.add_argument("--all", action="store_true", help="all of these")
    asked = parser.parse_args()
    missing = []
    for environment in ENVIRONMENTS:
        if environment.group == "light" or asked.all or getattr(asked, environment.group):
            missing += make(environment)
    if asked.all or asked.fuzz:
        missing += make_fuzz()
    if missing:
        print("cannot be installed here, their tests are skipped:", ", ".join(missing), file=sys.stderr)
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
