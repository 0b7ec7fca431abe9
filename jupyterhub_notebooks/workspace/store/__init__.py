"""Where objects lie: what a store promises, and the stores there are.

``open_store(url, options)`` opens ``file:///directory`` or ``s3://bucket/prefix``. Importing this room imports no
S3 client; opening an ``s3://`` store does.
"""

from .base import Store
from .lease_objects import HeldLease
from .opening import open_store
from .root import claim_root, keep_validated, read_root
from .workspace_store import WorkspaceStore

__all__ = ["HeldLease", "Store", "WorkspaceStore", "claim_root", "keep_validated", "open_store", "read_root"]
