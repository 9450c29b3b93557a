"""The table of the fault matrix in docs/faults.md, made from its rows. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from fault_matrix import ROOT
from fault_matrix.kinds import DEFAULT, KINDS, NEVER, SHORT, Kind
from fault_matrix.rows import FAULT, VERDICT, Row, percentile

PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- rows: made by make faults -->", "<!-- end of rows -->"
_NONE = "-"


def with_tables(text: str, rows: Sequence[Row]) -> str:
    """The page with its tables brought up to date."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{tables(rows)}\n\n{END}{rest.split(END)[1]}"


def tables(rows: Sequence[Row]) -> str:
    if not rows:
        return "Nothing was measured yet."
    parts = [_origin(rows), _matrix([row for row in rows if row["kind"] == FAULT])]
    return "\n\n".join([*parts, _verdicts([row for row in rows if row["kind"] == VERDICT])])


def _origin(rows: Sequence[Row]) -> str:
    """Machine, days, commits, versions, rules: each value once, in the order in which they came."""
    dates = [row["date"] for row in rows]
    commits = list(dict.fromkeys(row["commit"] for row in rows))
    first, last = min(dates), max(dates)
    span = first if first == last else f"{first} to {last}"
    made = commits[0] if len(commits) == 1 else f"{commits[0]} to {commits[-1]}"
    machines = ", and ".join(dict.fromkeys(row["machine"] for row in rows))
    versions = "; ".join(dict.fromkeys(_versions(row) for row in rows))
    loads = [row["load"] for row in rows]
    load = f"load {min(loads):.0f} to {max(loads):.0f} when a row was done"
    return f"{len(rows)} rows. {span}, commits {made}, rules {rows[-1]['rules']}. {machines}, {load}. {versions}."


def _versions(row: Row) -> str:
    return ", ".join(f"{name} {version}" for name, version in row["versions"].items())


def _matrix(rows: Sequence[Row]) -> str:
    head = (
        "fault",
        f"rows ({SHORT:.0f} s + {DEFAULT:.0f} s)",
        "verdict",
        "what the playbooks did",
        "leader",
        "change observed, served",
        "write gap p50 / p95 / max",
        "acknowledged, lost",
        "well again",
        "after the heal",
    )
    lines = [_of_fault(kind, [row for row in rows if row["fault"] == kind.name]) for kind in KINDS]
    return _markdown([head, *lines])


def _of_fault(kind: Kind, rows: Sequence[Row]) -> Sequence[str]:
    counts = Counter(row["window"] for row in rows)
    name = f"**{kind.name}**: {kind.words}"
    if not rows:
        return (name, "0", *[_NONE] * 8)
    return (
        name,
        f"{counts[SHORT]} + {counts[DEFAULT]}",
        _counted(row["verdict"] for row in rows),
        _counted("; ".join(row["did"]) for row in rows),
        _middle([row["seconds"].get("leader") for row in rows]),
        _both([row["observed"] for row in rows], [row["served"] for row in rows]),
        _gaps([row["gap"] for row in rows]),
        f"{sum(row['acknowledged'] for row in rows)}, {sum(row['lost'] for row in rows)}",
        _middle([row["well"] for row in rows]),
        _counted(row["after"] for row in rows),
    )


def _counted(values: Iterable[str]) -> str:
    """Each value once; how often, where they are not all the same."""
    counts = Counter(values)
    return " / ".join(f"{value} ({count})" if len(counts) > 1 else value for value, count in counts.most_common())


def _middle(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.0f} s" if known else _NONE


def _both(first: Sequence[float | None], second: Sequence[float | None]) -> str:
    found = _middle(first), _middle(second)
    return _NONE if set(found) == {_NONE} else ", ".join(found)


def _gaps(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return " / ".join(f"{percentile(known, share):.1f}" for share in (0.5, 0.95, 1)) + " s" if known else _NONE


def _verdicts(rows: Sequence[Row]) -> str:
    head = ("fault", "never", "times", "said of any context", "false")
    lines = []
    for fault, never in NEVER.items():
        mine = [row for row in rows if row["fault"] == fault]
        said = Counter(verdict for row in mine for verdict in row["verdicts"].values())
        false = sum(said[verdict] for verdict in never)
        words = ", ".join(f"{verdict} {count}" for verdict, count in said.most_common()) or _NONE
        lines.append((fault, " or ".join(never), str(len(mine)), words, str(false) if mine else _NONE))
    return _markdown([head, *lines])


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    """The first line is the head."""
    rows = [f"| {' | '.join(' '.join(cell.split()).replace('|', '/') for cell in line)} |" for line in lines]
    return "\n".join([rows[0], "|" + "---|" * len(lines[0]), *rows[1:]])


def update(rows: Sequence[Row], page: Path = PAGE) -> None:
    page.write_text(with_tables(page.read_text(), rows))
