"""Options that several commands share, and how they reach the engine."""

from __future__ import annotations

from typing import Annotated

import typer

Source = Annotated[str, typer.Argument(metavar="SRC", help="A folder, a file, a .zip or .tar(.gz), or an fsspec URL.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="FORMAT", help="Format of SRC; recognised by its content if not given.")
]
To = Annotated[str, typer.Option("--to", metavar="FORMAT", help="Format to write; see labelglot formats.")]
WriteOptions = Annotated[
    list[str] | None,
    typer.Option("-o", "--option", metavar="KEY=VALUE", help="Option of the target format; can be repeated."),
]
ReadOptions = Annotated[
    list[str] | None,
    typer.Option("--from-option", metavar="KEY=VALUE", help="Option of the source format; can be repeated."),
]
ImageDir = Annotated[
    str | None, typer.Option("--image-dir", metavar="DIR", help="Where the images are, if not in SRC.")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, metavar="N", help="Number of processes; by default as many as it pays to have."),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory", metavar="SIZE", help="What reading may take, as 800M or 2G; by default what the machine has free."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on stdout, and nothing else there.")]


