"""Symbolic modes of `--chmod` (`u=rwX,go=rX`), with BuildKit's meaning: BSD's chmod(1) under a umask of 0, and `X`
with every operator, as on Linux.

So `=` clears set-id bits but not the sticky bit, `X` looks at the mode before all clauses, and `t` applies to every
class except others alone.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError

_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o007, "a": 0o6777}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_SHIFT = {"u": 6, "g": 3, "o": 0}
_ALL, _OTHERS, _STICKY, _EXECUTE = 0o6777, 0o007, 0o1000, 0o111


def change_mode(mode: int, change: str, directory: bool) -> int:
    """Return the permission bits `mode` after `change`, an octal number or clauses. Raises UserError."""
    if change and all(c in "01234567" for c in change):
        return int(change, 8) & 0o7777
    executable = directory or bool(mode & _EXECUTE)
    for clause in change.split(","):
        rest = clause.lstrip("ugoa")
        who = 0
        for letter in clause[: len(clause) - len(rest)]:
            who |= _WHO[letter]
        if not rest or rest[0] not in "+-=":
            raise _invalid(change)
        for operator, letters in _operations(rest):
            mode = _apply(mode, who, operator, letters, executable, change)
    return mode & 0o7777


def _operations(text: str) -> list[tuple[str, str]]:
    """Split `+rw-x` into (`+`, `rw`), (`-`, `x`)."""
    operations: list[tuple[str, str]] = []
    for letter in text:
        if letter in "+-=":
            operations.append((letter, ""))
        else:
            operator, letters = operations[-1]
            operations[-1] = operator, letters + letter
    return operations


def _apply(mode: int, who: int, operator: str, letters: str, executable: bool, change: str) -> int:
    classes = who or _ALL
    bits = 0
    cleared = operator != "="
    for letter in letters:
        if letter in _SHIFT:
            if bits or not cleared:
                mode = _set(mode, operator, classes & bits, 0 if cleared or not bits else classes)
                bits, cleared = 0, True
            mode = _copy_class(mode, classes, operator, mode >> _SHIFT[letter] & 0o7)
        elif letter in "st" and not classes & ~_OTHERS & _ALL:
            continue
        elif letter == "t":
            classes |= _STICKY
            bits |= _STICKY
        elif letter == "X":
            bits |= _EXECUTE if executable or operator == "-" else 0
        elif letter in _BITS:
            bits |= _BITS[letter]
        else:
            raise _invalid(change, f": {letter!r}")
    return _set(mode, operator, classes & bits, 0 if cleared else classes)


def _set(mode: int, operator: str, bits: int, clear: int) -> int:
    return mode & ~bits if operator == "-" else mode & ~clear | bits


def _copy_class(mode: int, classes: int, operator: str, value: int) -> int:
    """Return the mode after the permissions `value` of one class were copied to other classes, or removed from
    them."""
    for letter, shift in _SHIFT.items():
        if classes & _WHO[letter] & 0o777:
            if operator == "-":
                mode &= ~(value << shift)
            else:
                mode = mode & ~(0o7 << shift if operator == "=" else 0) | value << shift
    return mode


def _invalid(change: str, what: str = "") -> UserError:
    return UserError(f"invalid mode {change!r}{what}", help="write it like 0755 or u=rwX,go=rX")
