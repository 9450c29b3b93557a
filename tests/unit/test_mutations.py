"""Each guard is taken away or bent in turn, in memory: the expectation that names it must fail."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

COLLECTION = "ansible_collections.kubeblocks.multicluster.plugins.module_utils"
PLACEMENT, MEMBERS, FINDINGS = (f"{COLLECTION}._rules.{name}" for name in ("placement", "members", "findings"))
CREDENTIALS = f"{COLLECTION}._credentials"
TESTS = {PLACEMENT: "placement", MEMBERS: "members", FINDINGS: "findings", CREDENTIALS: "credentials"}

# Mutation of a module's text: what stands there, what comes instead. Expectation: test and case of its table.
Mutation = tuple[str, str, str, str, Any]

TABLE, QUORUM, DOMAINS = "test_table_of_the_rules", "test_quorum_and_tolerance", "test_declared_domains"
MISSING = "test_what_is_missing_to_one_etcd"
FOUND, SAYS = "test_what_is_found", "test_what_a_finding_says"
RENEWAL = "test_when_a_token_is_minted_anew"

MUTATIONS: list[Mutation] = [
    # Placement
    (PLACEMENT, "voters // 2 + 1", "voters // 2", QUORUM, 3),
    (PLACEMENT, "voters // 2 + 1", "(voters + 1) // 2", QUORUM, 4),
    (PLACEMENT, "voters - quorum(voters)", "quorum(voters) - 1", QUORUM, 4),
    (PLACEMENT, "[placement[ordinal % len(placement)] for", "[placement[ordinal // len(placement)] for", TABLE, (5, 3)),
    (PLACEMENT, "domains.get(context, context)", "context", DOMAINS, "two share one"),
    (PLACEMENT, "domains.get(context, context)", 'domains.get(context, "")', DOMAINS, "nothing declared"),
    (PLACEMENT, "<= tolerated(", "< tolerated(", TABLE, (3, 3)),
    (PLACEMENT, "<= tolerated(replicas)", "<= quorum(replicas)", TABLE, (4, 3)),
    (PLACEMENT, "return max(", "return min(", TABLE, (4, 3)),
    (PLACEMENT, "largest = max(", "largest = min(", TABLE, (5, 4)),
    (PLACEMENT, "replicas - largest - quorum", "replicas - quorum", TABLE, (5, 5)),
    (PLACEMENT, "- largest - quorum(replicas)", "- largest - tolerated(replicas)", TABLE, (3, 3)),
    # One etcd
    (MEMBERS, 'for sample in samples if sample["error"]]', "for sample in []]", MISSING, "a Pod waits"),
    (MEMBERS, 'for sample in samples if not sample["error"]]', "for sample in samples]", MISSING, "a Pod waits"),
    (MEMBERS, "len(samples) < replicas", "len(samples) < replicas - 1", MISSING, "a Pod is missing that the list has"),
    (MEMBERS, "len(samples) < replicas", "len(samples) <= replicas", MISSING, "one etcd"),
    (MEMBERS, 'if not sample["linearizable"]', "if False", MISSING, "no quorum behind one"),
    (MEMBERS, "len(clusters) > 1", "len(clusters) > 2", MISSING, "two clusters"),
    (MEMBERS, 'if "0" in leaders', 'if leaders == ["0"]', MISSING, "no leader at one"),
    (MEMBERS, "len(leaders) > 1", "len(leaders) > 2", MISSING, "two leaders"),
    (MEMBERS, "if answering and not lists", "if not lists", MISSING, "all Pods wait"),
    (MEMBERS, "if answering and not lists", "if False", MISSING, "nobody gave the list"),
    (MEMBERS, "in lists[:1]", "in lists[:0]", MISSING, "too few voters"),
    (MEMBERS, "in lists[:1]", "in lists", MISSING, "the first list counts"),
    (MEMBERS, ' if not member["learner"]', "", MISSING, "too few voters"),
    (MEMBERS, "len(voters) != replicas", "len(voters) < replicas", MISSING, "too many voters"),
    (MEMBERS, "len(voters) != replicas", "len(voters) > replicas", MISSING, "too few voters"),
    (MEMBERS, "not in listed]", "in ()]", MISSING, "a stranger answers"),
    # Identity
    (FINDINGS, "if len(names) > 1:", "if len(names) > 2:", FOUND, "identity: two data planes"),
    (FINDINGS, "if len(names) > 1:", "if len(names) > 0:", FOUND, "identity: all differ"),
    (FINDINGS, "names[-1],", "names[0],", FOUND, "identity: control and data"),
    (FINDINGS, 'kinds == ["data"]', '"data" in kinds', "test_every_way_in_which_four_names_share_clusters", None),
    (FINDINGS, '"identity.duplicate",\n        "context', '"context', "test_what_nobody_may_accept", None),
    # Storage
    (FINDINGS, "if wanted and wanted not in known:", "if wanted:", FOUND, "storage: by name"),
    (FINDINGS, "if wanted and wanted not in known:", "if wanted not in known:", FOUND, "storage: the default one"),
    (FINDINGS, "if wanted and wanted not in known:", "if False:", FOUND, "storage: unknown name"),
    (FINDINGS, "not wanted and len(defaults) != 1", "len(defaults) != 1", FOUND, "storage: by name"),
    (FINDINGS, "len(defaults) != 1", "len(defaults) < 1", FOUND, "storage: two defaults"),
    (FINDINGS, "len(defaults) != 1", "len(defaults) > 1", FOUND, "storage: no default"),
    (FINDINGS, "FAIL if not defaults else WARN", "WARN", FOUND, "storage: no default"),
    (FINDINGS, "FAIL if not defaults else WARN", "FAIL", FOUND, "storage: two defaults"),
    # Server
    (FINDINGS, "address.is_loopback or", "host == '127.0.0.1' or", FOUND, "server: ::1"),
    (FINDINGS, 'host == "localhost"', "False", FOUND, "server: localhost"),
    (FINDINGS, 'host == "localhost"', 'host.startswith("localhost")', FOUND, "server: a name"),
    (FINDINGS, "if not _leads_to_itself(server)", "if _leads_to_itself(server)", FOUND, "server: an address"),
    # Releases
    (FINDINGS, 'startswith("pending-")', 'startswith("pending-install")', FOUND, "releases: another's upgrade"),
    (FINDINGS, 'not release["status"].startswith("pending-")', "False", FOUND, "releases: deployed"),
    (FINDINGS, "            continue\n", "            break\n", FOUND, "releases: behind another"),
    (FINDINGS, 'if release["ours"]:', "if True:", FOUND, "releases: another's upgrade"),
    (FINDINGS, 'if release["ours"]:', "if False:", FOUND, "releases: our own"),
    # Placement as a finding
    (FINDINGS, "if context not in known]", "if False]", FOUND, "placement: unknown"),
    (FINDINGS, "placement.count(context) > 1}", "placement.count(context) > 2}", FOUND, "placement: doubled"),
    (FINDINGS, "not placement or unknown", "unknown", FOUND, "placement: not given"),
    (FINDINGS, "or unknown or doubled", "or doubled", FOUND, "placement: unknown, and fragile"),
    (FINDINGS, "or unknown or doubled or", "or unknown or", FOUND, "placement: doubled, and fragile"),
    (FINDINGS, " or survives_any_domain(replicas, placement, domains)", "", FOUND, "placement: even"),
    (FINDINGS, "survives_any_domain(replicas, placement, domains)", "True", FOUND, "placement: four over three"),
    (
        FINDINGS,
        "survives_any_domain(replicas, placement, domains)",
        "survives_any_domain(replicas, placement, {})",
        FOUND,
        "placement: two share a domain",
    ),
    (
        FINDINGS,
        "voters_by_domain(replicas, placement, domains)",
        "voters_by_domain(replicas, placement, {})",
        SAYS,
        "placement: two share a domain",
    ),
    # Tokens
    (CREDENTIALS, 'if not claims.get("exp")', 'if "exp" not in claims', RENEWAL, "expiry zero"),
    (CREDENTIALS, "if owner != account_uid:", "if False:", RENEWAL, "another account's"),
    (CREDENTIALS, "if owner != account_uid:", "if owner and owner != account_uid:", RENEWAL, "no account's"),
    (CREDENTIALS, "if left <= 0:", "if left < 0:", RENEWAL, "run out at this moment"),
    (CREDENTIALS, "if left <= 0:", "if left <= 1:", RENEWAL, "the last second"),
    (CREDENTIALS, "left * 3 < life", "left * 3 <= life", RENEWAL, "exactly a third"),
    (CREDENTIALS, "left * 3 < life", "left * 2 < life", RENEWAL, "a second more than a third"),
    (CREDENTIALS, "left * 3 < life", "left * 4 < life", RENEWAL, "a second less than a third"),
    (CREDENTIALS, 'claims["exp"] - claims.get("iat", 0)', 'claims["exp"]', RENEWAL, "new"),
]


def executed(path: str, name: str, old: str = "", new: str = "") -> ModuleType:
    """A module from its text, mutated if ``old`` is given; nothing on disk or in ``sys.modules`` changes."""
    text = Path(path).read_text()
    assert not old or text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    found = ModuleType(name)
    exec(compile(text.replace(old, new) if old else text, path, "exec"), found.__dict__)  # noqa: S102 - our own text
    return found


def failed(tests: ModuleType, test: str, case: Any) -> bool:
    function = getattr(tests, test)
    try:
        function() if case is None else function(case)
    except (AssertionError, ArithmeticError):
        return True
    return False


def named(mutation: Mutation) -> str:
    module, old, new, _, _ = mutation
    return f"{module.rpartition('.')[2]}: {old.strip()} -> {new.strip() or 'nothing'}"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=named)
def test_an_expectation_fails_without_its_guard(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    module, old, new, test, case = mutation
    tests = str(Path(__file__).with_name(f"test_{TESTS[module]}.py"))
    real = importlib.import_module(module)
    assert not failed(executed(tests, "tests_as_they_are"), test, case)
    monkeypatch.setitem(sys.modules, module, executed(str(real.__file__), module, old, new))
    assert failed(executed(tests, "tests_of_the_mutant"), test, case)
