# Private to this collection.
"""What the answers of the mesh's test mean: for every pair, for the eye and for a machine. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _mesh_probing as probing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._tables import columns

# Check → what it is called, and the unit of its value.
CHECKS = {
    "dns": ("name of its Service", ""),
    "pod": ("Pod to Pod", ""),
    "service": ("Service of one Pod", ""),
    "packet": ("packet of full size", "bytes"),
    "round_trip": ("round trip", "ms"),
    "throughput": ("throughput", "Mbit/s"),
    "global": ("Service of all Pods", "clusters"),
}


@dataclass(frozen=True)
class Result:
    """One question and its answer. ``value``: in the check's unit, None where it has none."""

    source: str
    target: str
    check: str
    ok: bool
    value: float | None
    why: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}: {CHECKS[self.check][0]}: {self.why}"


def results(asked: Mapping[str, Sequence[Mapping[str, Any]]], said: Mapping[str, Any]) -> list[Result]:
    """``asked``: source → its questions; ``said``: source → answers in their order, or one sentence why there are
    none. An answer that is missing is no yes."""
    found = []
    for source, questions in asked.items():
        answers = said.get(source, "it was not asked")
        if not isinstance(answers, list) or len(answers) != len(questions):
            why = answers if isinstance(answers, str) else "it did not answer every question"
            answers = [{"ok": False, "value": None, "why": why} for _question in questions]
        found += [
            Result(source, question["target"], question["check"], answer["ok"], answer["value"], answer["why"])
            for question, answer in zip(questions, answers, strict=True)
        ]
    return found


def table(found: Sequence[Result]) -> list[str]:
    """A row for each source, a column for each target; then a line for everything that failed."""
    sources = sorted({result.source for result in found})
    targets = (*sources, probing.EVERYBODY)
    rows = [("CONNECTIVITY", *targets)]
    for source in sources:
        mine = [result for result in found if result.source == source]
        rows.append((source, *(_cell([each for each in mine if each.target == target]) for target in targets)))
    return columns(rows) + failures(found)


def failures(found: Sequence[Result]) -> list[str]:
    """What failed, in words; one line for a source that could not be asked at all."""
    lines = list[str]()
    for source in sorted({result.source for result in found}):
        mine = [result for result in found if result.source == source]
        reasons = {"" if result.ok else result.why for result in mine}
        silent = len(mine) > 1 and len(reasons) == 1 and "" not in reasons
        tried = [result for result in mine if not result.ok and result.why != probing.NOT_TRIED]
        lines += [f"{source}: {mine[0].why}"] if silent else map(str, tried)
    return lines


def _cell(mine: Sequence[Result]) -> str:
    if not mine:
        return "-"
    if not all(result.ok for result in mine):
        return "FAILED"
    return ", ".join(f"{result.value:g} {CHECKS[result.check][1]}" for result in mine if result.value is not None)


def junit(found: Sequence[Result]) -> str:
    """The same as JUnit's XML: a case for each question, of the class ``source -> target``."""
    failed = sum(1 for result in found if not result.ok)
    suite = ElementTree.Element("testsuite", name="mesh_test", tests=str(len(found)), failures=str(failed), errors="0")
    for result in found:
        name, unit = CHECKS[result.check]
        case = ElementTree.SubElement(suite, "testcase", classname=f"{result.source} -> {result.target}", name=name)
        if not result.ok:
            ElementTree.SubElement(case, "failure", message=result.why)
        elif result.value is not None:
            ElementTree.SubElement(case, "system-out").text = f"{result.value:g} {unit}"
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
