"""The fault matrix's plain parts: what is missing, which rows are dropped, percentiles, and the table of the page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kill import kill_tree

ROOT = Path(__file__).parent.parent.parent
sys.path.append(str(ROOT / "bench"))  # after the folders of tests, which have files of the same name

from fault_matrix import kinds, rows, table  # noqa: E402

RULES = ROOT / "plugins" / "module_utils" / "_rules"


def row(**changed: Any) -> rows.Row:
    """A row as it comes from a run in which all went well."""
    return {
        "date": "2026-01-02",
        "commit": "aaaa",
        "rules": "one",
        "versions": {"KubeBlocks": "1.0.2", "etcd": "3.6.5"},
        "machine": "x86_64, 2 cores, 24 GB",
        "load": 1.4,
        "kind": rows.FAULT,
        "fault": "partition",
        "window": kinds.SHORT,
        "verdict": "DEAD",
        "did": ["marked k8s-3 by helm"],
        "seconds": {"leader": 20.0},
        "observed": 2.0,
        "served": 3.0,
        "gap": 1.5,
        "acknowledged": 100,
        "lost": 0,
        "well": 60.0,
        "after": "all is well",
        **changed,
    }


def outage(fault: str, **verdicts: str) -> rows.Row:
    said = {name.replace("_", "-"): verdict for name, verdict in verdicts.items()}
    return row(kind=rows.VERDICT, fault=fault, verdicts=said)


# What is missing


def test_everything_is_missing_at_first_a_round_at_a_time() -> None:
    wanted = {("api", 10.0): 2, ("data", 10.0): 1, ("slow", 10.0): 2}
    assert [fault for fault, _ in rows.missing([], wanted)] == ["api", "data", "slow", "api", "slow"]


def test_what_lacks_most_comes_first_and_other_windows_and_kinds_do_not_count() -> None:
    wanted = {("api", 10.0): 2, ("data", 10.0): 2}
    there = [row(fault="api"), row(fault="data", window=60.0), outage("data", k8s_3="ALIVE")]
    assert [fault for fault, _ in rows.missing(there, wanted)] == ["data", "api", "data"]
    assert rows.missing([row(fault=fault) for fault in ("api", "data") * 3], wanted) == []


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_the_steps_of_one_fault_share_its_rows(count: int) -> None:
    wanted = kinds.wanted(kinds.SHORT, count)
    killed = [wanted[key] for key in wanted if key[0].startswith("killed")]
    assert len(killed) == len(kinds.STEPS)
    assert sum(killed) >= count
    assert {wanted[key] for key in wanted if not key[0].startswith("killed")} == {count}


# Rows


def test_rows_of_other_rules_are_dropped_and_the_others_kept_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert rows.read(path) == []
    for each in (row(), row(rules="two"), row(fault="slow ±")):
        rows.append(each, path)
    kept = rows.of_rules(rows.read(path), "one")
    assert kept == [row(), row(fault="slow ±")]
    rows.write(kept, path)
    assert rows.read(path) == kept
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]


def test_each_file_of_the_rules_counts_and_no_other(tmp_path: Path) -> None:
    shutil.copytree(RULES, tmp_path, dirs_exist_ok=True)
    before = rows.digest(tmp_path)
    assert before == rows.digest(RULES)
    (tmp_path / "metallb.py").write_text("# another rule\n")
    assert rows.digest(tmp_path) == before
    seen = {before}
    for name in rows.RULES:
        with (tmp_path / f"{name}.py").open("a") as file:
            file.write("# changed\n")
        seen.add(rows.digest(tmp_path))
    assert len(seen) == 1 + len(rows.RULES)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3.0], 0.5, 3.0),
        ([3.0], 0.95, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 0.95, 4.0),
        ([*range(1, 21)], 0.95, 19),
        ([*range(1, 21)], 1, 20),
        ([2.0, 1.0], 0, 1.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], share: float, expected: float) -> None:
    assert rows.percentile(values, share) == expected


# Killing


def test_what_left_the_process_group_is_killed_too(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {told}.part; mv {told}.part {told}; sleep 60; true' & sleep 60; true"
    with subprocess.Popen(["sh", "-c", script], start_new_session=True) as process:
        while not told.exists():
            time.sleep(0.01)
        kill_tree(process.pid)
        assert process.wait(10) != 0
    deadline = time.monotonic() + 10
    while _runs(int(told.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(int(told.read_text()))


def _runs(pid: int) -> bool:
    """A zombie that nobody waits for does not run any more."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


# The table


def line_of(text: str, fault: str) -> list[str]:
    (found,) = [line for line in text.splitlines() if line.startswith(f"| **{fault}**:")]
    return [cell.strip() for cell in found.strip("|").split("|")][1:]


def test_a_fault_that_was_not_measured_has_no_values() -> None:
    cells = line_of(table.tables([row()]), "frozen")
    assert cells[0] == "0" and set(cells[1:]) == {"-"}


def test_a_line_counts_what_differs_and_sums_what_was_written() -> None:
    more = row(
        window=60.0,
        verdict="UNKNOWN",
        seconds={},
        observed=None,
        served=None,
        gap=None,
        lost=1,
        acknowledged=7,
        well=80.0,
    )
    cells = line_of(table.tables([row(), row(gap=3.0), more]), "partition")
    assert cells == [
        "2 + 1",
        "DEAD (2) / UNKNOWN (1)",
        "marked k8s-3 by helm",
        "20 s",
        "2 s, 3 s",
        "1.5 / 3.0 / 3.0 s",
        "207, 1",
        "60 s",
        "all is well",
    ]


def test_false_verdicts_are_counted() -> None:
    said = [outage("api", k8s_1="ALIVE", k8s_3="API_DOWN"), outage("api", k8s_1="DEAD", k8s_3="UNKNOWN")]
    text = table.tables([*said, outage("observer", k8s_1="DATA_DOWN", k8s_3="DEAD")])
    assert "| api | DEAD | 2 | ALIVE 1, API_DOWN 1, DEAD 1, UNKNOWN 1 | 1 |" in text
    assert "| observer | DEAD or DATA_DOWN | 1 | DATA_DOWN 1, DEAD 1 | 2 |" in text


def test_the_table_says_where_it_comes_from() -> None:
    text = table.tables([row(commit="bbbb"), row(date="2026-01-01", commit="cccc", load=8.6)])
    assert "2 rows. 2026-01-01 to 2026-01-02, commits bbbb to cccc, rules one." in text
    assert "x86_64, 2 cores, 24 GB, load 1 to 9 when a row was done." in text
    assert "KubeBlocks 1.0.2, etcd 3.6.5" in text


def test_without_rows_nothing_is_claimed() -> None:
    assert table.tables([]) == "Nothing was measured yet."


def test_the_page_shows_the_rows_that_are_kept() -> None:
    page = table.PAGE.read_text()
    assert page == table.with_tables(page, rows.read())
