"""The record database's tables. Raise `VERSION` with every change; a store of a newer version is refused."""

from __future__ import annotations

VERSION = 4

TABLES = """
CREATE TABLE IF NOT EXISTS snapshot (
    id       INTEGER PRIMARY KEY,
    parent   INTEGER REFERENCES snapshot(id),
    kind     TEXT NOT NULL,              -- snapshotter that made it
    boot     TEXT NOT NULL,              -- boot it was made in
    synced   INTEGER NOT NULL DEFAULT 0, -- 1 once a syncfs came after it
    depth    INTEGER NOT NULL,
    created  INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),
    identity TEXT,                       -- digest(parent's identity, content of the diff), once computed
    origin   INTEGER REFERENCES snapshot(id), -- snapshot whose layer this one is, laid over another parent
    shares   INTEGER NOT NULL DEFAULT 0  -- 1 if the origin's files are its files
);
CREATE INDEX IF NOT EXISTS snapshot_identity ON snapshot(identity) WHERE identity IS NOT NULL;
CREATE INDEX IF NOT EXISTS snapshot_parent ON snapshot(parent);
CREATE INDEX IF NOT EXISTS snapshot_origin ON snapshot(origin) WHERE origin IS NOT NULL;
CREATE TABLE IF NOT EXISTS record (
    key      TEXT PRIMARY KEY,           -- cache key
    op       TEXT NOT NULL,              -- key of the op without its inputs
    results  TEXT NOT NULL,              -- snapshots, one an output: "12,-,14"; - is the empty root
    inputs   TEXT NOT NULL,              -- snapshots it ran on, alike; ? is a view of something outside
    content  TEXT,                       -- digest of what it read of them, once computed
    created  REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_op ON record(op, content);
CREATE TABLE IF NOT EXISTS layer (
    snapshot    INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE,
    variant     TEXT NOT NULL,           -- compression, level, timestamps: all that changes the bytes
    diff_id     TEXT NOT NULL,
    digest      TEXT NOT NULL,
    size        INTEGER NOT NULL,
    media_type  TEXT NOT NULL,
    compressor  TEXT NOT NULL,           -- name and version
    PRIMARY KEY (snapshot, variant)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chain (
    chain_id TEXT PRIMARY KEY,           -- OCI chain ID of an unpacked image's layers
    snapshot INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twin (
    snapshot INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE,
    kind     TEXT NOT NULL,              -- snapshotter that made the twin
    twin     INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE, -- the same state
    PRIMARY KEY (snapshot, kind)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS twin_twin ON twin(twin);
CREATE TABLE IF NOT EXISTS image (
    name       TEXT PRIMARY KEY,         -- canonical reference
    digest     TEXT NOT NULL,
    size       INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    created    REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS resolved (
    ref      TEXT PRIMARY KEY,           -- canonical reference of a pulled tag
    digest   TEXT NOT NULL,              -- manifest or index it led to
    media_type TEXT NOT NULL,
    size     INTEGER NOT NULL,
    checked  REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blob_source (
    digest TEXT NOT NULL,                -- a blob of the content store
    source TEXT NOT NULL,                -- registry/repository that has it: cross-repository mounts
    PRIMARY KEY (digest, source)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS download (
    asked    TEXT NOT NULL,              -- digest of an address and all else that shapes what it gives
    snapshot INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE,
    digest   TEXT NOT NULL,              -- of the file's bytes
    name     TEXT NOT NULL,
    etag     TEXT NOT NULL,              -- as the server wrote it; "" without one
    modified TEXT NOT NULL,              -- Last-Modified as the server wrote it; "" without one
    dated    INTEGER NOT NULL,           -- 1 if `modified` alone tells of every change
    PRIMARY KEY (asked, snapshot)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage (
    snapshot    INTEGER PRIMARY KEY REFERENCES snapshot(id) ON DELETE CASCADE,
    type        TEXT NOT NULL DEFAULT 'regular', -- what it is, one of `labels.py`
    description TEXT NOT NULL DEFAULT '', -- what made it
    used        REAL,                    -- when the last build that used it ended
    uses        INTEGER NOT NULL DEFAULT 0, -- builds that used it
    size        INTEGER                  -- bytes of its directory, once measured
);
CREATE TABLE IF NOT EXISTS directory (
    path        TEXT PRIMARY KEY,        -- of a directory of the store that is no snapshot: caches/…/0, git/…
    lock        TEXT NOT NULL,           -- file that its users hold locked; both relative to the store
    type        TEXT NOT NULL,           -- as in usage
    description TEXT NOT NULL,
    created     REAL NOT NULL,
    used        REAL NOT NULL,
    uses        INTEGER NOT NULL,
    size        INTEGER                  -- bytes, measured since it was used last
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lease (
    owner TEXT NOT NULL,                 -- name of the owner's work directory, alive while its lock is held
    kind  TEXT NOT NULL,                 -- blob, snapshot; made: a snapshot that the owner has made
    ref   TEXT NOT NULL,
    PRIMARY KEY (owner, kind, ref)
) WITHOUT ROWID;
"""

CHANGES = {
    1: (
        "ALTER TABLE snapshot ADD COLUMN origin INTEGER REFERENCES snapshot(id)",
        "ALTER TABLE snapshot ADD COLUMN shares INTEGER NOT NULL DEFAULT 0",
    ),
    2: (),
    3: (),
}
"""Migration steps: the statements that turn a database of a version into the next one's, before `TABLES` adds
missing tables and indexes."""
