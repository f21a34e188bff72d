# syntax=python:1
"""Pages with the calendar of a year, one image for each language."""

import calendar

import pybuild as pb

year = pb.param("year", int, default=2027, doc="The year that is shown.")
DAYS = {"en": "Mo Tu We Th Fr Sa Su", "de": "Mo Di Mi Do Fr Sa So", "es": "Lu Ma Mi Ju Vi Sá Do"}


def page(language: str) -> str:
    """The calendar as HTML."""
    names = "".join(f"<th>{name}</th>" for name in DAYS[language].split())
    months = []
    for month in range(1, 13):
        weeks = calendar.Calendar().monthdayscalendar(year, month)
        rows = ("".join(f"<td>{day or ''}</td>" for day in week) for week in weeks)
        months.append(
            f"<h2>{month}</h2><table><tr>{names}</tr><tr>" + "</tr><tr>".join(rows) + "</tr></table>"
        )
    return f"<!doctype html><title>{year}</title>\n" + "\n".join(months) + "\n"


@pb.state
def tools(t: pb.StateBuilder) -> None:
    """Commands of this machine: no registry is asked."""
    # pybuild: allow W0611
    t.from_(pb.host(["sh", "grep", "gzip"]))


@pb.target(axes={"language": list(DAYS)})
def site(t: pb.StateBuilder, language: str) -> None:
    """A page, packed."""
    t.from_(tools())
    t.write(page(language), to="/srv/index.html")
    t.run("gzip -9nk /srv/index.html")
    t.workdir("/srv")
    t.label({"language": language})
    t.tag(f"calendar:{year}-{language}")


@pb.test(axes={"language": list(DAYS)})
def has_all_months(t: pb.StateBuilder, language: str) -> None:
    """Twelve tables, with the names of the days."""
    t.from_(site(language=language))
    t.run("test $(grep -c '<table>' index.html) = 12")
    t.run("grep -q ${{day}} index.html", day=DAYS[language].split()[0])


pb.default(pb.group("all", [site]))
