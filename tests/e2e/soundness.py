"""Whether a store is sound, found out without the code that writes it: the database's own checks, every blob's
digest, and rows and directories against each other."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

_LAYER_BLOBS = "SELECT digest, size FROM layer"
_NAMED_BLOBS = "SELECT digest, size FROM image"


def faults(root: Path) -> list[str]:
    """What is wrong with the store at `root`; what a killed build left to be swept is not."""
    if not (root / "records-v4.sqlite").exists():
        return []
    found = _blob_faults(root)
    with closing(sqlite3.connect(root / "records-v4.sqlite", timeout=30)) as db:
        found += [f"database: {row[0]}" for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        found += [f"dangling reference: {row}" for row in db.execute("PRAGMA foreign_key_check")]
        # The tables are made in one transaction: killed before it, a build leaves a database without any.
        if db.execute("SELECT 1 FROM sqlite_schema").fetchone() is not None:
            found += _row_faults(root, db)
    return found


def leftovers(root: Path) -> list[str]:
    """What no living build can need: work directories, unfinished blobs, directories without rows, leases."""
    found = [f"work/{entry.name}" for entry in (root / "work").iterdir()]
    found += [f"ingest/{entry.name}" for entry in (root / "ingest").iterdir() if entry.suffix == ".tmp"]
    with closing(sqlite3.connect(root / "records-v4.sqlite", timeout=30)) as db:
        known = {str(row[0]) for row in db.execute("SELECT id FROM snapshot")}
        found += [f"lease {row}" for row in db.execute("SELECT * FROM lease")]
    found += [
        f"snapshots/{entry.name}"
        for entry in (root / "snapshots").iterdir()
        if entry.name.isdecimal() and entry.name not in known
    ]
    return found


def _blob_faults(root: Path) -> list[str]:
    found = []
    for path in (root / "blobs" / "sha256").iterdir():
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != path.name:
            found.append(f"blob {path.name} has the digest {digest}")
    return found


def _row_faults(root: Path, db: sqlite3.Connection) -> list[str]:
    found = []
    snapshots = {row[0] for row in db.execute("SELECT id FROM snapshot WHERE kind != 'removed'")}
    homes = db.execute("SELECT id, iif(shares, origin, id) FROM snapshot WHERE kind != 'removed'")
    found += [
        f"snapshot {one} has no files"
        for one, home in homes
        if not (root / "snapshots" / str(home) / "fs").is_dir()
    ]
    references = (
        ("layer", "snapshot"),
        ("chain", "snapshot"),
        ("snapshot", "parent"),
        ("snapshot", "origin"),
    )
    for table, column in references:
        rows = db.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
        found += [f"{table} names snapshot {row[0]}" for row in rows if row[0] not in snapshots]
    for key, results in db.execute("SELECT key, results FROM record"):
        numbers = {int(part) for part in results.split(",") if part.isdecimal()}
        found += [f"record {key} names snapshot {one}" for one in numbers - snapshots]
    for query in (_LAYER_BLOBS, _NAMED_BLOBS):
        for digest, size in db.execute(query):
            path = root / "blobs" / "sha256" / digest.removeprefix("sha256:")
            if not path.is_file() or path.stat().st_size != size:
                found.append(f"{query.split()[-1]} names blob {digest}")
    return found
