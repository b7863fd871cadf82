"""Content by reference (EIP Claim Check): large bytes, stored under their SHA-256 before the row that names them.

Two stores of the same shape: `FolderBlobs` beside a SQLite file, or on a disk that all workers share; `RowBlobs` in
the database itself.

Rules kept here:

- What `keep` has returned is whole and on the disk, folders included. What breaks off leaves nothing, or a temporary
  file that a sweep removes.
- Who names content says so in `blob_use`, in the transaction that stores the row. A sweep removes what nobody names
  and nobody has kept again for a day: the day is for those who keep now and store their row in a moment.
- A reference becomes a path, or a key, only once it is seen to be a SHA-256.
"""

from __future__ import annotations

from .content import Blobs
from .folder import FolderBlobs
from .rows import RowBlobs

__all__ = ["Blobs", "FolderBlobs", "RowBlobs"]
