"""The snapshot engine: saves a directory into object storage and brings it back. FORMAT.md says in what bytes.

Promises: a save becomes visible by one commit or not at all; a restore that ended half-way is never saved; what is
read from a store is bounded and verified before it is believed. Has never heard of JupyterHub.
"""

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
