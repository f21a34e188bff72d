"""A result as HTML for notebooks: a table of its steps. No script, nothing from elsewhere."""

from __future__ import annotations

from html import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.builder.images import Image
    from pybuild.builder.record import Step

SHOWN_LINES = 20
"""Lines of a step's output that its row shows."""
_COLOURS = {"failed": "#b00020", "ran": "#0a7d33", "cached": "#777"}


def result_table(images: Sequence[Image], steps: Sequence[Step], seconds: float) -> str:
    """Return the `div` element of a build with these images and steps, which took `seconds`."""
    heads = "".join(f"<th style='text-align:left'>{name}</th>" for name in ("step", "status", "seconds"))
    rows = "".join(map(_row, steps))
    paragraphs = "".join(map(_image, images))
    counts = {status: sum(step.status == status for step in steps) for status in ("ran", "cached")}
    summary = f"{counts['ran']} ran, {counts['cached']} cached, {seconds:.1f}s"
    return f"<div>{paragraphs}<p>{summary}</p><table><tr>{heads}</tr>{rows}</table></div>"


def _image(image: Image) -> str:
    parts = [f"<b>{escape(image.name or 'image')}</b>"]
    parts += [f"<code>{escape(image.digest)}</code>"] if image.digest else []
    parts += [escape(", ".join(image.tags))] if image.tags else []
    parts += [escape(path) for path in image.files]
    return f"<p>{' '.join(parts)}</p>"


def _row(step: Step) -> str:
    colour = _COLOURS.get(step.status, "inherit")
    status = f"<td style='color:{colour}'>{escape(step.status)}</td>"
    seconds = f"{step.seconds:.1f}" if step.status in ("ran", "failed") else ""
    name = f"<code>{escape(step.name)}</code>"
    return (
        f"<tr><td style='text-align:left'>{name}{_output(step)}</td>{status}"
        f"<td style='text-align:right'>{seconds}</td></tr>"
    )


def _output(step: Step) -> str:
    lines = step.log.splitlines()
    if not lines:
        return ""
    dropped = len(lines) - SHOWN_LINES
    shown = ([f"… {dropped} lines before"] if dropped > 0 else []) + lines[-SHOWN_LINES:]
    return f"<details><summary>output</summary><pre>{escape(chr(10).join(shown))}</pre></details>"
