"""Symbolic modes of `--chmod` (`u=rwX,go=rX`), as chmod(1) reads them, without regard to a umask."""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError

_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_SHIFT = {"u": 6, "g": 3, "o": 0}


def change_mode(mode: int, change: str, directory: bool) -> int:
    """`mode` (permission bits) after `change`, an octal number or clauses. Raises UserError."""
    if change and all(c in "01234567" for c in change):
        return int(change, 8) & 0o7777
    for clause in change.split(","):
        mode = _apply(mode, clause, directory, change)
    return mode


def _apply(mode: int, clause: str, directory: bool, change: str) -> int:
    rest = clause.lstrip("ugoa")
    who = clause[: len(clause) - len(rest)] or "a"
    if not rest or rest[0] not in "+-=":
        raise UserError(f"invalid mode {change!r}", help="write it like 0755 or u=rwX,go=rX")
    mask = 0
    for one in "ugo" if "a" in who else who:
        mask |= _WHO[one]
    position = 0
    while position < len(rest):
        operator = rest[position]
        end = position + 1
        while end < len(rest) and rest[end] not in "+-=":
            end += 1
        bits = _bits(mode, rest[position + 1 : end], directory, change) & mask
        if operator == "+":
            mode |= bits
        elif operator == "-":
            mode &= ~bits
        else:
            keep = 0o6000 if directory else 0
            mode = (mode & ~(mask & ~keep)) | bits
        position = end
    return mode & 0o7777


def _bits(mode: int, letters: str, directory: bool, change: str) -> int:
    bits = 0
    for letter in letters:
        if letter in _SHIFT:
            bits |= (mode >> _SHIFT[letter] & 0o7) * 0o111
        elif letter == "X":
            bits |= 0o111 if directory or mode & 0o111 else 0
        elif letter in _BITS:
            bits |= _BITS[letter]
        else:
            raise UserError(f"invalid mode {change!r}: {letter!r}", help="write it like 0755 or u=rwX,go=rX")
    return bits
