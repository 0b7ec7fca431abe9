"""The extended attributes of a file that a snapshot keeps: those of the namespace ``user.``."""

from __future__ import annotations

import os

from .entries import MOST_XATTR_NAMES, MOST_XATTRS


def xattrs_of(handle: int | bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Attributes of the namespace ``user.``, sorted; none where the system has none, or they are too many or too large."""
    if not hasattr(os, "listxattr"):
        return ()
    try:
        follow = isinstance(handle, int)
        names = [name for name in os.listxattr(handle, follow_symlinks=follow) if name.startswith("user.")]
        found = tuple(
            sorted((os.fsencode(name), os.getxattr(handle, name, follow_symlinks=follow)) for name in names)
        )
    except OSError:
        return ()
    few = len(found) <= MOST_XATTR_NAMES
    return found if few and sum(len(name) + len(value) for name, value in found) <= MOST_XATTRS else ()
