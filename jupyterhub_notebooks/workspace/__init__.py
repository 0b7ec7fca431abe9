"""The snapshot engine: saves a directory into object storage and brings it back. FORMAT.md says in what bytes.

Promises: a save becomes visible by one commit or not at all; a restore that ended half-way is never saved; what is
read from a store is bounded and verified before it is believed. Has never heard of JupyterHub.

A name is imported when it is first asked for: what needs one part of the engine loads no other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .browsing import Contents, read_file
    from .checking import CheckReport, Problem, check
    from .copying import CopyReport, copy_all, copy_paths
    from .differing import Difference, differences
    from .entries import Entry
    from .exporting import ExportReport, export_zip, export_zip_file
    from .layout import (
        ROOT_KEY,
        WorkspaceFacts,
        block_key,
        parse_workspace_json,
        snapshot_key,
        workspace_json,
        workspace_key,
        workspace_prefix,
    )
    from .ports import Blocks, Cancelled, CommitFacts, MissingBlocks, OnProgress, Snapshots
    from .pruning import PruneReport, prune
    from .repairing import RepairReport, repair
    from .restoring import RestoreReport, listing, restore
    from .retention import Dated, Rule, keep
    from .saving import Pending, SaveReport, changes, save
    from .snapshots import SnapshotHead, parse_snapshot
    from .store import Store, WorkspaceStore, claim_root, open_store, read_root
    from .volume import Volume

_WHERE = {
    "Blocks": "ports",
    "Cancelled": "ports",
    "CheckReport": "checking",
    "CommitFacts": "ports",
    "Contents": "browsing",
    "CopyReport": "copying",
    "Dated": "retention",
    "Difference": "differing",
    "Entry": "entries",
    "ExportReport": "exporting",
    "MissingBlocks": "ports",
    "OnProgress": "ports",
    "Pending": "saving",
    "Problem": "checking",
    "PruneReport": "pruning",
    "ROOT_KEY": "layout",
    "RepairReport": "repairing",
    "RestoreReport": "restoring",
    "Rule": "retention",
    "SaveReport": "saving",
    "SnapshotHead": "snapshots",
    "Snapshots": "ports",
    "Store": "store",
    "Volume": "volume",
    "WorkspaceFacts": "layout",
    "WorkspaceStore": "store",
    "block_key": "layout",
    "changes": "saving",
    "check": "checking",
    "claim_root": "store",
    "copy_all": "copying",
    "copy_paths": "copying",
    "differences": "differing",
    "export_zip": "exporting",
    "export_zip_file": "exporting",
    "keep": "retention",
    "listing": "restoring",
    "open_store": "store",
    "parse_snapshot": "snapshots",
    "parse_workspace_json": "layout",
    "prune": "pruning",
    "read_file": "browsing",
    "read_root": "store",
    "repair": "repairing",
    "restore": "restoring",
    "save": "saving",
    "snapshot_key": "layout",
    "workspace_json": "layout",
    "workspace_key": "layout",
    "workspace_prefix": "layout",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = found
    return found


__all__ = [
    "ROOT_KEY",
    "Blocks",
    "Cancelled",
    "CheckReport",
    "CommitFacts",
    "Contents",
    "CopyReport",
    "Dated",
    "Difference",
    "Entry",
    "ExportReport",
    "MissingBlocks",
    "OnProgress",
    "Pending",
    "Problem",
    "PruneReport",
    "RepairReport",
    "RestoreReport",
    "Rule",
    "SaveReport",
    "SnapshotHead",
    "Snapshots",
    "Store",
    "Volume",
    "WorkspaceFacts",
    "WorkspaceStore",
    "block_key",
    "changes",
    "check",
    "claim_root",
    "copy_all",
    "copy_paths",
    "differences",
    "export_zip",
    "export_zip_file",
    "keep",
    "listing",
    "open_store",
    "parse_snapshot",
    "parse_workspace_json",
    "prune",
    "read_file",
    "read_root",
    "repair",
    "restore",
    "save",
    "snapshot_key",
    "workspace_json",
    "workspace_key",
    "workspace_prefix",
]
