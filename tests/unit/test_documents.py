"""What the documents list is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.gate import RISKS
from mutants import executed

ROOT = Path(__file__).parents[2]
RULES = ROOT / "plugins" / "module_utils" / "_rules"
_PREFIXES = (
    "access|address|api|certificate|chart|clock|context|crds|credential|evidence|exposure|fate|helm|identity|image|"
    "inventory|leftovers|load_balancer|mark|mesh|namespace|nodes|operator|placement|pod_role|reach|release|round_trip|server|storage|token|values|vantage|version"
)
FATES = {"fate.boot_id", "fate.machine_id", "fate.zone", "fate.backend"}  # named after the evidence's keys


def ids_in_the_rules() -> set[str]:
    text = "\n".join(path.read_text() for path in [*sorted(RULES.glob("*.py")), RULES.parent / "_mesh_plan.py"])
    return set(re.findall(rf'"((?:{_PREFIXES})\.[a-z_]+)"', text)) | FATES


def test_every_finding_is_in_the_documents() -> None:
    documents = "".join((ROOT / "docs" / f"{name}.md").read_text() for name in ("preflight", "clusters", "mesh"))
    listed = set(re.findall(rf"`((?:{_PREFIXES})\.[a-z_]+)`", documents))
    known = ids_in_the_rules()
    assert len(known) > 30
    assert listed == known


def test_every_finding_is_provoked_on_a_lab_or_named_as_one_that_is_not() -> None:
    """What the lab cannot run (other versions of Kubernetes) has tables in the unit tests."""
    folders = (ROOT / "tests" / "integration", ROOT / "tests" / "e2e")
    texts = "\n".join(path.read_text() for folder in folders for path in folder.glob("*.py"))
    unseen = {finding for finding in ids_in_the_rules() if finding not in texts}
    assert unseen == {"version.old", "version.skew"}


def test_links_between_documents_lead_somewhere() -> None:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        targets = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
        assert [target for target in targets if not (path.parent / target).exists()] == [], path.name


def test_the_document_of_failover_lists_every_rule_with_the_risk_that_accepts_it() -> None:
    text = (ROOT / "docs" / "failover.md").read_text()
    rows = re.findall(r"^\| (D\d[.\d]*) \|.*\| ([^|]+) \|$", text, re.MULTILINE)
    listed = {(rule, how.strip("`").replace("never", "")) for rule, how in rows if rule.startswith("D3")}
    cases = executed(str(Path(__file__).parent / "test_gate.py"), "cases").CASES
    found = {(rule, risk) for _changed, expected in cases.values() for rule, _context, risk in expected}
    assert listed == found | {("D3.11", ""), ("D3.12", "-")}
    assert {risk for _rule, risk in found} - {""} == {*RISKS} - {"two_voters"}
