"""Where ``workspace export`` and ``restore`` write: a folder of this machine, or objects in S3.

Promises: an address is never taken for a folder's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click

from ..errors import BadInput
from ..units import count, show_size
from ..workspace import WorkspaceStore
from .progress_bar import Bar
from .store_options import parsed
from .workspace_words import print_json, say_skipped

if TYPE_CHECKING:
    from ..workspace.exporting import ExportReport
    from ..workspace.exporting_objects import ObjectsReport

TO_OPTION = click.option(
    "--to-option",
    "to_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="As --store-option, for the place that is written [default: those of --store].",
)


class Folder(click.ParamType):
    """A folder of this machine; an address is refused."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Path:
        if isinstance(value, str) and "://" in value:
            raise BadInput(
                f"{value} is an address, and a folder of this machine is meant",
                next=["Name a folder", "Write objects with: workspace export SNAPSHOT s3://bucket/prefix"],
                field=param.opts[0] if param is not None else None,
            )
        return Path(value)


def folder_of(target: str) -> Path:
    """The file or folder that target names, also as ``file:///…``. Raises BadInput for other addresses."""
    if "://" not in target:
        return Path(target)
    parts = urlsplit(target)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise BadInput(
            f"Nothing can be written to {target}",
            next=["Name a .zip file, a new folder, file:///FOLDER or s3://BUCKET/PREFIX"],
            field="target",
        )
    return Path(unquote(parts.path))


def to_objects(
    space: WorkspaceStore,
    number: int,
    url: str,
    options: Sequence[str],
    paths: Sequence[bytes],
    as_json: bool,
    store_url: str,
) -> None:
    """Writes a snapshot as objects below url and says so. Raises BadInput where that is the workspace's own place."""
    from ..workspace.exporting_objects import MANIFEST, export_objects
    from ..workspace.store.plain_objects import PlainObjects, part_bytes

    mine, there = store_url.rstrip("/") + "/", url.rstrip("/") + "/"
    if there.startswith(mine) or mine.startswith(there):
        raise BadInput(
            f"{url} is where the workspace itself lies", next=["Name another prefix"], field="target"
        )
    with Bar("Exporting", as_json) as bar:
        report = export_objects(
            space,
            space,
            number,
            PlainObjects(url, parsed(options)),
            part_bytes=part_bytes,
            paths=paths,
            progress=bar.show,
            cancelled=bar.cancelled,
        )
    before = f" {count(report.there, 'file')} had been written before." if report.there else ""
    if say_exported(report, number, f"{url}.{before}", "the object is called {}", as_json):
        print(f"What objects cannot hold (modes, links, empty folders) stands in {MANIFEST} there.")


def say_exported(
    report: ObjectsReport | ExportReport, number: int, where: str, called: str, as_json: bool
) -> bool:
    """Says what was written, in words or as JSON; whether in words. called: a renamed path's, with {} for its new name."""
    if as_json:
        print_json(asdict(report))
        return False
    say_skipped(tuple((was, called.format(name)) for was, name in report.renamed))
    print(
        f"Exported {count(report.files, 'file')} of snapshot {number}, {show_size(report.size_bytes)}, to {where}"
    )
    return True
