"""Files downloaded before: what a server said of them, so that it can be asked whether they have changed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Snapshotter

KEPT = 8
"""Downloads of one address that are kept: a server may go back to an earlier file."""

SURE_SECONDS = 60
"""A file that was this old when it was sent can't have changed since within the same second of Last-Modified
(RFC 9110, 8.8.2.2)."""


class Download:
    """A file in a snapshot of its own, as a server gave it. `modified` is its Last-Modified header."""

    __slots__ = ("dated", "digest", "etag", "modified", "name", "snapshot")

    def __init__(
        self,
        snapshot: int,
        digest: str,
        name: str,
        *,
        etag: str = "",
        modified: str = "",
        dated: bool = False,
    ) -> None:
        self.snapshot = snapshot
        self.digest = digest
        self.name = name
        self.etag = etag
        self.modified = modified
        self.dated = dated


class Downloads:
    """The downloads that a store knows. A row goes with its snapshot."""

    __slots__ = ("_snapshotter", "_store")

    def __init__(self, store: Store, snapshotter: Snapshotter) -> None:
        self._store = store
        self._snapshotter = snapshotter

    def of(self, asked: str) -> list[Download]:
        """Those of one address whose files are there, the latest first; leased."""
        rows = self._store.query(
            "SELECT snapshot, digest, name, etag, modified, dated FROM download WHERE asked = ? "
            "ORDER BY snapshot DESC",
            asked,
        )
        found = []
        for snapshot, digest, name, etag, modified, dated in rows:
            number = int(str(snapshot))
            self._store.lease("snapshot", str(number))
            if self._snapshotter.trusted(number):
                found.append(
                    Download(
                        number,
                        str(digest),
                        str(name),
                        etag=str(etag),
                        modified=str(modified),
                        dated=bool(dated),
                    )
                )
        return found

    def keep(self, asked: str, download: Download) -> None:
        with self._store.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO download VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    asked,
                    download.snapshot,
                    download.digest,
                    download.name,
                    download.etag,
                    download.modified,
                    int(download.dated),
                ),
            )
            db.execute(
                "DELETE FROM download WHERE asked = ? AND snapshot NOT IN "
                "(SELECT snapshot FROM download WHERE asked = ? ORDER BY snapshot DESC LIMIT ?)",
                (asked, asked, KEPT),
            )


def conditions(known: Sequence[Download]) -> dict[str, str]:
    """The headers that ask for the file only if it is none of `known`."""
    tags = list(dict.fromkeys(one.etag for one in known if one.etag))
    if tags:
        return {"If-None-Match": ", ".join(tags)}
    if known and known[0].dated:
        return {"If-Modified-Since": known[0].modified}
    return {}


def confirmed(known: Sequence[Download], status: int, headers: Mapping[str, str]) -> Download | None:
    """The download that an answer says is still the file. Some servers send the whole file with the tag of one
    that was named in the question, others answer 304 without saying of which of them."""
    tag = plain_tag(headers.get("ETag", ""))
    if status in (200, 304) and tag:
        return next((one for one in known if plain_tag(one.etag) == tag), None)
    if status != 304:
        return None
    asked = conditions(known)
    if "If-None-Match" in asked:
        tagged = [one for one in known if one.etag]
        return tagged[0] if len({one.etag for one in tagged}) == 1 else None
    return known[0] if asked else None


def plain_tag(tag: str) -> str:
    """An entity tag without the mark of a weak one."""
    return tag.strip().removeprefix("W/")


def is_dated(headers: Mapping[str, str]) -> bool:
    """Whether an answer's Last-Modified tells of every later change."""
    modified, sent = seconds(headers.get("Last-Modified", "")), seconds(headers.get("Date", ""))
    return modified is not None and sent is not None and sent - modified >= SURE_SECONDS


def seconds(date: str) -> int | None:
    """An HTTP date in seconds since the epoch; None for what is no date."""
    if not date:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError):
        return None
