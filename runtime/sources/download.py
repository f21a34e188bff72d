"""Records of downloaded files with their validators, to ask the server whether a file has changed."""

from __future__ import annotations

from pybuild.runtime.image.twins import usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Snapshotter

KEPT = 8
"""Downloads recorded for one address. Several, as a server may go back to an earlier file."""

SURE_SECONDS = 60
"""Age from which on a file's Last-Modified time is a strong validator (RFC 9110, 8.8.2.2): a later change can't fall
into the same second."""


class Download:
    """A downloaded file in a snapshot of its own. `modified` is the Last-Modified header, which is a strong
    validator if `dated`; `etag` is the ETag header."""

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
    """The downloads recorded in a store. A row is deleted with its snapshot."""

    __slots__ = ("_snapshotter", "_store")

    def __init__(self, store: Store, snapshotter: Snapshotter) -> None:
        self._store = store
        self._snapshotter = snapshotter

    def of(self, asked: str) -> list[Download]:
        """Return the usable downloads for a request's digest, latest first. Their snapshots are leased."""
        rows = self._store.query(
            "SELECT snapshot, digest, name, etag, modified, dated FROM download WHERE asked = ? "
            "ORDER BY snapshot DESC",
            asked,
        )
        downloads = []
        for snapshot, digest, name, etag, modified, dated in rows:
            number = int(str(snapshot))
            self._store.lease("snapshot", str(number))
            own = usable(self._store, self._snapshotter, number)
            if own is not None:
                downloads.append(
                    Download(
                        own,
                        str(digest),
                        str(name),
                        etag=str(etag),
                        modified=str(modified),
                        dated=bool(dated),
                    )
                )
        return downloads

    def keep(self, asked: str, download: Download) -> None:
        """Record a download, and forget the oldest beyond KEPT."""
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
    """Return the headers of a conditional request: the file is sent only if it is none of `known`."""
    tags = list(dict.fromkeys(download.etag for download in known if download.etag))
    if tags:
        return {"If-None-Match": ", ".join(tags)}
    if known and known[0].dated:
        return {"If-Modified-Since": known[0].modified}
    return {}


def confirmed(known: Sequence[Download], status: int, headers: Mapping[str, str]) -> Download | None:
    """Return the known download that the server's answer confirms, None if it is none.

    Some servers answer 200 with a tag of the request, others 304 without any tag: that is clear only if the request
    had one tag.
    """
    tag = plain_tag(headers.get("ETag", ""))
    if status in (200, 304) and tag:
        return next((download for download in known if plain_tag(download.etag) == tag), None)
    if status != 304:
        return None
    sent = conditions(known)
    if "If-None-Match" in sent:
        tagged = [download for download in known if download.etag]
        return tagged[0] if len({download.etag for download in tagged}) == 1 else None
    return known[0] if sent else None


def plain_tag(tag: str) -> str:
    """Return an entity tag without the prefix of weak tags."""
    return tag.strip().removeprefix("W/")


def is_dated(headers: Mapping[str, str]) -> bool:
    """Report whether an answer's Last-Modified is a strong validator."""
    modified, sent = seconds(headers.get("Last-Modified", "")), seconds(headers.get("Date", ""))
    return modified is not None and sent is not None and sent - modified >= SURE_SECONDS


def seconds(date: str) -> int | None:
    """Return an HTTP date as Unix time, None if it is malformed."""
    if not date:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError):
        return None
