"""The fault matrix: each fault on a lab of its own, a row each time; it goes on with what is missing. Run: make faults

The rows are kept in bench/faults.jsonl, and shown in docs/faults.md. Rows of other rules are dropped. A second run
beside the first, on a lab of its own (FAULTS_LAB and FAULTS_RANGE), adds to the same rows.
"""

from __future__ import annotations

import argparse
import sys
import time

from figures import machine

from fault_matrix import kinds, table
from fault_matrix import rows as kept


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what is missing of the fault matrix.")
    parser.add_argument("--only", metavar="FAULT", choices=list(kinds.BY_NAME), help="nothing but this fault")
    parser.add_argument("--rows", type=int, metavar="N", help="how many rows of each kind to reach")
    parser.add_argument("--minutes", type=float, default=float("inf"), metavar="M", help="begin no row after so long")
    parser.add_argument("--defaults", action="store_true", help="the default window alone")
    parser.add_argument("--verdicts", action="store_true", help="false verdicts alone")
    parser.add_argument("--list", action="store_true", help="say what is missing and stop")
    parser.add_argument("--table", action="store_true", help="write the table and stop")
    return parser.parse_args()


def missing(chosen: argparse.Namespace, rows: list[kept.Row]) -> list[tuple[str, str, float]]:
    """(Kind of row, fault, window) in the order in which they are measured."""
    windows = [kinds.DEFAULT] if chosen.defaults else [kinds.SHORT, kinds.DEFAULT]
    found: list[tuple[str, str, float]] = []
    for window in [] if chosen.verdicts else windows:
        wanted = kinds.wanted(window, chosen.rows or kinds.WANTED[window])
        found += [(kept.FAULT, *key) for key in kept.missing(rows, wanted)]
    if not chosen.defaults:
        outages = {(fault, kinds.SHORT): chosen.rows or kinds.OUTAGES for fault in kinds.NEVER}
        found += [(kept.VERDICT, *key) for key in kept.missing(rows, outages, kept.VERDICT)]
    return [each for each in found if chosen.only in (None, each[1])]


def measure(chosen: argparse.Namespace, rules: str) -> int:
    from fault_matrix import runs, scene

    began, inventory = time.monotonic(), scene.ready()
    while todo := missing(chosen, rows := kept.of_rules(kept.read(), rules)):
        if time.monotonic() - began > 60 * chosen.minutes:
            break
        kind, fault, window = todo[0]
        number = sum(1 for row in rows if row["kind"] == kind)
        measured = kind == kept.FAULT
        row = runs.fault(fault, window, inventory) if measured else runs.verdict(fault, number)
        kept.append(row)
        scene.say(said(row))
        if measured and not row["after"].startswith(scene.WELL):
            sys.stderr.write(f"bench: after {fault} not all is well: {row['after']}\n")
            return 1
    return 0


def said(row: kept.Row) -> str:
    """A row for the eye."""
    if row["kind"] == kept.VERDICT:
        return f"{row['fault']} in {row['context']}: {row['verdicts']}"
    expected = kinds.BY_NAME[row["fault"]].verdict
    surprise = "" if row["verdict"] == expected else f", EXPECTED {expected}"
    return (
        f"{row['fault']} ({row['window']:.0f} s): {row['verdict']}{surprise}; {'; '.join(row['did'])}; "
        f"gap {row['gap']} s, {row['lost']} of {row['acknowledged']} lost; "
        f"{row['after']} after {row['well']} s; took {row['took']} s"
    )


def main() -> int:
    chosen, rules, there = options(), kept.digest(), kept.read()
    rows = kept.of_rules(there, rules)
    if chosen.list:
        for kind, fault, window in missing(chosen, rows):
            print(f"{kind} {fault} {window:.0f} s")
        return 0
    if rows != there:
        kept.write(rows)
    print(f"{machine()}, rules {rules}, {len(rows)} rows are there, {len(missing(chosen, rows))} are missing")
    try:
        return 0 if chosen.table else measure(chosen, rules)
    finally:
        table.update(kept.of_rules(kept.read(), rules))


if __name__ == "__main__":
    sys.exit(main())
