"""Each guard of what is left over, and of what the policy is told, is taken away or bent in turn: the expectation that
names it must fail."""

from __future__ import annotations

import pytest

from mutants import Mutation, is_caught, named

UTILS = "ansible_collections.kubeblocks.multicluster.plugins.module_utils"
GUARD, LEFTOVERS = f"{UTILS}._rules.guard", f"{UTILS}._rules.leftovers"
KEPT, WORK = f"{UTILS}._guard", f"{UTILS}._leftovers"
TESTS = {GUARD: "guard", KEPT: "guard", LEFTOVERS: "leftovers", WORK: "leftovers"}
TOLD, LOOKED, BODIES = "test_what_it_is_told", "test_what_it_looks_at", "test_a_policy_and_what_binds_it"
SAYS, TWICE = (
    "test_each_denial_says_context_database_reason_and_cure",
    "test_nothing_is_denied_twice_or_without_a_marked_context",
)
CASES, MODEL = "test_what_is_left_over", "test_every_member_of_small_databases_against_a_model"
ORDER, KNOWN = "test_the_order_in_which_they_can_go_and_what_they_are_called", "test_what_the_control_plane_knows"
NAMED = "test_of_the_claims_only_those_go_that_are_named"

MUTATIONS: list[Mutation] = [
    (GUARD, "sorted({name for name in names if name})", "sorted({*names})", TOLD, "a name that is empty"),
    (GUARD, "sorted({name for name in names if name})", "[*filter(None, names)]", TOLD, "in another order"),
    (GUARD, "sorted({name for name in names if name})", "sorted(filter(None, names))", TOLD, "twice"),
    (GUARD, ", ensure_ascii=False", "", "test_letters_stay_as_they_are", None),
    (GUARD, '("CREATE", "UPDATE", "DELETE")', '("CREATE", "UPDATE")', LOOKED, None),
    (GUARD, '"opsrequests", ("CREATE",)', '"opsrequests", ("CREATE", "UPDATE")', LOOKED, None),
    (GUARD, '"failurePolicy": "Fail"', '"failurePolicy": "Ignore"', BODIES, None),
    (GUARD, '["Deny"]', '["Warn"]', BODIES, None),
    (GUARD, ', "labels": dict(OWN)', "", BODIES, None),
    (GUARD, "variables.contexts.size() == 0 || ", "", TWICE, None),
    (GUARD, '("Backup",)', '("Backup", "Custom")', "test_which_requests_are_let_pass", None),
    (GUARD, "{rule.why}. {rule.cure}", "{rule.why}", SAYS, 0),
    (GUARD, "while marked as unavailable: {rule.why}", "{rule.why}", SAYS, 3),
    (GUARD, 'kind="OpsRequest",', "", SAYS, 8),
    (KEPT, "} <= known", "} & known != set()", "test_whether_it_can_be_kept", "no binding"),
    (LEFTOVERS, 'PLACEMENT, "").split(",")', 'PLACEMENT, "")', CASES, "made for another context"),
    (
        LEFTOVERS,
        'PLACEMENT, "").split(",")',
        'PLACEMENT, context).split(",")',
        CASES,
        "made by the context's own operator",
    ),
    (LEFTOVERS, "context not in places or", "", CASES, "made for another context"),
    (LEFTOVERS, "or ADOPTED.items() <= labels.items()", "", CASES, "adopted"),
    (LEFTOVERS, "ADOPTED.items() <= labels.items()", "ADOPTED.keys() <= labels.keys()", CASES, "not adopted"),
    (LEFTOVERS, 'body["kind"] in _COMMON and', "False and", CASES, "an account that others may use"),
    (LEFTOVERS, '("RoleBinding", "ServiceAccount")', '("ServiceAccount",)', CASES, "a binding that others may use"),
    (LEFTOVERS, 'body["kind"] in _COMMON and', "", CASES, "a Secret of nobody"),
    (
        LEFTOVERS,
        "for cluster in _in(clusters, space)):",
        "for cluster in clusters.values()):",
        CASES,
        "an account that nobody can use",
    ),
    (LEFTOVERS, 'f"{space}/{name}"', 'f"db/{name}"', CASES, "a Cluster of this name in another namespace"),
    (LEFTOVERS, '.get(f"{space}/{name}")', '.get(f"{space}/{name}", Cluster())', CASES, "a member of nobody"),
    (LEFTOVERS, "    if context not in cluster.placement:", "    if False:", CASES, "a Service of a Cluster elsewhere"),
    (LEFTOVERS, "if not workload or any(", "if any(", CASES, "a ConfigMap of no database"),
    (LEFTOVERS, "if not workload or any(", "if not workload or not any(", CASES, "the headless Service"),
    (
        LEFTOVERS,
        'labels.get(_WORKLOAD, ""), _in(clusters, space)',
        'labels.get(_WORKLOAD, ""), clusters.values()',
        CASES,
        "the headless Service in another namespace",
    ),
    (LEFTOVERS, "    if not component:", "    if False:", CASES, "a Service of a Cluster"),
    (
        LEFTOVERS,
        "components.get(component)",
        "components.get(component, Database('', '', ''))",
        CASES,
        "a ConfigMap of no component",
    ),
    (LEFTOVERS, "ordinal < database.replicas", "ordinal <= database.replicas", CASES, "one member more"),
    (
        LEFTOVERS,
        "ordinal < database.replicas",
        "ordinal < database.replicas - 1",
        CASES,
        "a member that stayed after another order",
    ),
    (LEFTOVERS, "ordinal is None or", "ordinal is not None and", CASES, "a member by a template"),
    (LEFTOVERS, "number != pod and", "", CASES, "a Pod of another name"),
    (LEFTOVERS, 'if kind == "Pod":', "if True:", CASES, "a ConfigMap that ends with a number"),
    (
        LEFTOVERS,
        'str(((body.get("spec") or {}).get("selector") or {}).get(POD_NAME, ""))',
        'str(metadata["name"])',
        CASES,
        "a Service that selects nothing",
    ),
    (LEFTOVERS, "labels.get(POD_NAME) or ", "", CASES, "a claim more, by its Pod"),
    (LEFTOVERS, "labels.get(_TEMPLATE, '')", "'data'", CASES, "a claim without a template"),
    (LEFTOVERS, "    if kind == CLAIM:", "    if False:", CASES, "a claim more"),
    (LEFTOVERS, "ordinal < database.replicas", "ordinal < len(cluster.placement)", MODEL, None),
    (LEFTOVERS, "if context not in cluster.placement:", "if context not in cluster.placement[:1]:", MODEL, None),
    (LEFTOVERS, "(order.index(each.kind), each.key)", "each.key", ORDER, None),
    (LEFTOVERS, "(order.index(each.kind), each.key)", "order.index(each.kind)", ORDER, None),
    (
        WORK,
        'found[spec["name"]] = ',
        'found[spec["name"]] = found.get(spec["name"]) or ',
        KNOWN,
        "the operator is behind",
    ),
    (WORK, '+ len(spec.get("offlineInstances") or [])', "", KNOWN, "one is offline"),
    (WORK, 'spec.get("flatInstanceOrdinal") or ', "", KNOWN, "numbers chosen by hand"),
    (WORK, ' or spec.get("ordinals")', "", KNOWN, "numbers chosen by hand"),
    (WORK, "== (space, name):", "!= ():", KNOWN, "another Cluster's"),
    (WORK, 'placement, _ordinals(body["spec"])', "placement, 0", KNOWN, "shards"),
    (WORK, "each.kind != CLAIM or each.key in claims", "True", NAMED, None),
    (WORK, "each.kind != CLAIM or each.key in claims", "each.key in claims", NAMED, None),
    (WORK, "each.kind != CLAIM or each.key in claims", "each.kind != CLAIM", NAMED, None),
    (WORK, "sorted(chosen, key=lambda each: order.index(each.kind))", "chosen", NAMED, None),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=named)
def test_an_expectation_fails_without_its_guard(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_caught(mutation, TESTS[mutation[0]], monkeypatch)
