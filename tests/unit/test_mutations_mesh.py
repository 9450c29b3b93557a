"""Each guard of joining clusters is taken away or bent in turn: the expectation that names it must fail."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mutants import Mutation, is_caught, named

RULES = "ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules"
MESH, EXISTING, VALUES = (f"{RULES}.{name}" for name in ("mesh", "mesh_existing", "mesh_values"))
ONE, FITS, APART = (
    "test_what_is_wrong_with_one",
    "test_clusters_that_fit",
    "test_one_minor_apart_is_for_the_time_of_an_upgrade",
)
ROOM, SERVICES, NODES = (
    "test_room_for_every_node",
    "test_services_of_its_own_alone",
    "test_no_node_and_a_single_way_in",
)
CHANGE, APPENDED, LAST = (
    "test_what_must_not_change",
    "test_networks_may_be_appended_and_nothing_else",
    "test_addresses_last",
)
IN_MESH: list[Mutation] = [
    (MESH, "for wish in wishes if wish.id]", "for wish in wishes]", FITS, None),
    *(
        (MESH, f"    {rule},\n", "", ONE, case)
        for rule, case in {
            "_of_name": "default",
            "_of_max": "other number of clusters",
            "_of_id": "number 256",
            "_of_version": "version with a v",
            "_of_cidrs": "no networks",
            "_of_mask": "part as large as the whole",
            "_of_native": "no tunnels, and nothing is routed",
            "_of_port": "port below",
            "_of_endpoints": "load balancer nobody knows",
            "_of_proxy": "no kube-proxy, no address",
            "_of_doubled": "same name",
            "_of_overlaps": "same networks",
            "_of_datapaths": "other tunnels",
            "_of_equal_max": "other number of clusters",
            "_of_minors": "two minors on",
        }.items()
    ),
    (MESH, "    _of_shared_ports,\n", "", "test_one_node_port_for_all", ("1.18.12", True, True)),
    (MESH, " and len(name) <= 32", "", ONE, "name of 33 characters"),
    (MESH, "len(name) <= 32 and", "len(name) < 32 and", ONE, "name of 32 characters"),
    (MESH, ' and name != "default"', "", ONE, "default"),
    (MESH, "_NAME.fullmatch(name)", "_NAME.match(name)", ONE, "name that ends with a hyphen"),
    (MESH, "    if 1 <= wish.id <= wish.max_clusters:", "    if wish.id <= wish.max_clusters:", ONE, "negative number"),
    (MESH, "    if 1 <= wish.id <= wish.max_clusters:", "    if 1 <= wish.id:", ONE, "number 256"),
    (MESH, "minor_of(wish.version) in MINORS and re", "re", ONE, "version that nobody knows"),
    (MESH, "prefix < wish.mask_size for", "prefix <= wish.mask_size for", ONE, "part as large as the whole"),
    (MESH, "range(30000, 32768)", "range(30000, 32767)", ONE, "last port"),
    (MESH, "range(30000, 32768)", "range(30000, 32769)", ONE, "port above"),
    (MESH, ' or host.startswith("127.")', "", ONE, "no kube-proxy, loopback"),
    (MESH, ' or host == "localhost"', "", ONE, "no kube-proxy, localhost"),
    (MESH, "not host or", "", ONE, "no kube-proxy, no port"),
    (MESH, "apart > 1 else WARN", "apart > 0 else WARN", APART, None),
    (MESH, "count > room:", "count >= room:", ROOM, (256, ("10.1.0.0/16",), 24, True)),
    (MESH, "sum(2 ** max", "max(2 ** max", ROOM, (512, ("10.1.0.0/16", "10.9.0.0/16"), 24, True)),
    (MESH, "own = seen.get(wish.context, {})", "own = next(iter(seen.values()), {})", SERVICES, None),
    (MESH, "        if count == 0:", "        if False:", NODES, None),
    (MESH, "count > 1 and wish.service_type == NODE_PORT and", "count > 1 and", NODES, None),
]
IN_EXISTING: list[Mutation] = [
    (EXISTING, "            found += _of_others(wish, seen[wish.context])\n", "", "test_another_network", None),
    (EXISTING, "            found += _of_machines(wish, seen[wish.context])\n", "", "test_architectures", None),
    (
        EXISTING,
        'return found + _of_step(wish, cilium["version"])',
        "return found",
        "test_one_minor_at_a_time_and_forwards",
        ("1.17.18", "1.19.6", True),
    ),
    (
        EXISTING,
        " and _patch(there) <= _patch(wish.version)",
        "",
        "test_one_minor_at_a_time_and_forwards",
        ("1.19.6", "1.19.2", True),
    ),
    (
        EXISTING,
        "if step in (0, 1)",
        "if step in (0, 1, 2)",
        "test_one_minor_at_a_time_and_forwards",
        ("1.17.18", "1.19.6", True),
    ),
    (
        EXISTING,
        "if step in (0, 1)",
        "if step == 0",
        "test_one_minor_at_a_time_and_forwards",
        ("1.18.12", "1.19.6", False),
    ),
    *(
        (EXISTING, text, "", CHANGE, key)
        for key, text in {
            "cluster-name": '        "cluster-name": wish.cluster,\n',
            "cluster-id": '        "cluster-id": str(wish.id),\n',
            "max-connected-clusters": '        "max-connected-clusters": str(wish.max_clusters),\n',
            "ipam": '        "ipam": "cluster-pool",\n',
            "cluster-pool-ipv4-mask-size": '        "cluster-pool-ipv4-mask-size": str(wish.mask_size),\n',
            "routing-mode": '        "routing-mode": wish.routing_mode,\n',
        }.items()
    ),
    (EXISTING, "wish.pod_cidrs[: len(pools)]", "wish.pod_cidrs", APPENDED, None),
    (
        EXISTING,
        "if list(wish.pod_cidrs[: len(pools)]) != pools:",
        "if not set(pools) <= set(wish.pod_cidrs):",
        APPENDED,
        None,
    ),
    (
        EXISTING,
        "    if wish.routing_mode == TUNNEL:\n",
        "    if True:\n",
        "test_without_tunnels_their_protocol_means_nothing",
        None,
    ),
    (EXISTING, '    if not cilium["version"]:', "    if False:", "test_a_cilium_that_is_no_release", None),
    (EXISTING, ' and ".el8" not in kernel', "", "test_kernels", ("4.18.0-553.el8_10.x86_64", False)),
    (EXISTING, "if number < _OLDEST_KERNEL and", "if number <= _OLDEST_KERNEL and", "test_kernels", ("5.10.0", False)),
    (EXISTING, ' and holder != "kube-system/clustermesh-apiserver"', "", "test_a_port_that_is_taken", None),
    (EXISTING, "if wish.service_type == NODE_PORT and holder", "if holder", "test_a_port_that_is_taken", None),
]
IN_VALUES: list[Mutation] = [
    (VALUES, "min(2, nodes)", "2", "test_a_single_node_has_one_operator", None),
    (
        VALUES,
        "return sorted(others,",
        "return list(others) or sorted(others,",
        "test_the_list_of_peers_is_sorted_and_has_nobody_who_is_cut_off",
        None,
    ),
    (VALUES, " and context not in cut]", "]", "test_the_list_of_peers_is_sorted_and_has_nobody_who_is_cut_off", None),
    (VALUES, "return kept or sorted", "return sorted", LAST, None),
    (VALUES, "if address in every]", "if address]", LAST, None),
    (VALUES, "sorted(ready or every)", "sorted(ready)", LAST, None),
    (VALUES, "if minor.cache_ttl else {}", "if True else {}", "test_values_of_a_minor", (1, 17)),
    (
        VALUES,
        "if minor.makes_secrets else {}",
        "if True else {}",
        "test_values_of_a_minor_with_certificates_of_our_own",
        (1, 20),
    ),
    (
        VALUES,
        "settings.certificates == MANAGED or not",
        "not",
        "test_values_of_a_minor_with_certificates_of_our_own",
        (1, 19),
    ),
]
TRUTH, SAMPLES = (f"{RULES}.{name}" for name in ("mesh_truth", "mesh_samples"))
SAID, WELL = "test_what_is_wrong_is_said_in_words", "test_a_mesh_that_is_well"
PROBED = "test_a_probe_that_was_never_made_is_no_sign_of_health"
NEVER: dict[str, Any] = {}
GOOD = {"lastProbed": "2026-01-01T11:59:50Z", "latency": 130966}
OLD = {"lastProbed": "2026-01-01T11:40:00Z", "latency": 130966}
BAD = {"lastProbed": "2026-01-01T11:59:50Z", "status": "Connection timed out"}
KEPT_FROM = "test_what_keeps_a_cluster_from_its_peer"
CUT_WAY = "are not reached from here: the way between the two is cut"
IN_TRUTH: list[Mutation] = [
    (TRUTH, "if source != target\n", "if True\n", WELL, None),
    (TRUTH, "_PROGRAMS = tuple(_NAMES)", '_PROGRAMS = ("agents",)', SAID, "the peer is dead"),
    (
        TRUTH,
        'if not state.get("connected", False):',
        'if not state.get("connected", True):',
        SAID,
        "false and zero are left out",
    ),
    (
        TRUTH,
        'and not config.get("retrieved", False)',
        'and not config.get("retrieved", True)',
        SAID,
        "its name is another",
    ),
    (TRUTH, 'config["cluster-id"] != target.id', "False", SAID, "its number is another"),
    (TRUTH, "if not synced.get(part, False)]", "if not synced.get(part, True)]", SAID, "services are not there yet"),
    (
        TRUTH,
        'for pod in here[program] if pod["problem"]]',
        "for pod in here[program] if False]",
        SAID,
        "kvstoremesh is down",
    ),
    (TRUTH, "    if missing > 0:", "    if False:", SAID, "an agent is not there"),
    (TRUTH, "if not here[program]]", 'if not here["agents"]]', SAID, "no kvstoremesh"),
    (TRUTH, "if not here[program]]", 'if not here["kvstoremesh"]]', SAID, "no agent"),
    (TRUTH, "if age == math.inf]", "if False]", SAID, "a node that was never probed"),
    (TRUTH, "and age < math.inf", "", KEPT_FROM, (math.inf, True, "", f"two runs, and its nodes {CUT_WAY}")),
    (
        TRUTH,
        "if any(word in words for word in _OF_CERTIFICATES)",
        "if False",
        KEPT_FROM,
        (3.0, True, "x509: unknown authority", "two and this cluster do not accept each other's certificates"),
    ),
    (
        TRUTH,
        "if _last_contact(here",
        "if here and not _last_contact(here",
        KEPT_FROM,
        (3.0, False, "i/o timeout", "nodes of two are reached, and its mesh API is not: is its port open?"),
    ),
    (
        TRUTH,
        'if there.get("problem", "it was not asked"):',
        "if False:",
        KEPT_FROM,
        (None, False, "", "neither the nodes of two nor its API server are reached: it is dead, or cut off"),
    ),
    (TRUTH, '    if target.name not in here["expected"]:', "    if False:", SAID, "nobody told it"),
    (TRUTH, '    if here["authority"] != there', "    if False and there", SAID, "another CA"),
    (TRUTH, 'agent["known"].get(name) != address', 'name not in agent["known"]', SAID, "a node at another address"),
    (TRUTH, 'and not agent["tunnels"].get(name, False):', "and False:", SAID, "no tunnel"),
    (TRUTH, "if age is None]", "if False]", SAID, "a probe that went wrong"),
    (TRUTH, "math.inf) | probes", "0.0) | probes", SAID, "no probe at all"),
    (
        TRUTH,
        'are not known: {problem}"] if problem else []',
        'are not known: {problem}"] if False else []',
        "test_a_cluster_that_cannot_be_asked",
        None,
    ),
    (SAMPLES, "oldest if oldest < _STALE else math.inf", "oldest", PROBED, ({"icmp": GOOD}, {"icmp": OLD}, math.inf)),
    (SAMPLES, "< _NETWORKS_FROM", "< (0, 0)", "test_nodes_and_tunnels", None),
    (SAMPLES, 'mode.lower() != "tunnel" or', "", "test_nodes_and_tunnels", None),
    (
        TRUTH,
        'and all(state.get("connected", False) for state in every)',
        'and every[0].get("connected")',
        "test_one_bad_agent_of_two_is_enough",
        None,
    ),
    (
        TRUTH,
        'all(state.get("ready", False) for state in states["agents"])',
        "True",
        "test_one_bad_agent_of_two_is_enough",
        None,
    ),
    (SAMPLES, 'and not each.get("status")]', "]", PROBED, ({"icmp": GOOD}, {"icmp": {**GOOD, **BAD}}, None)),
    (
        SAMPLES,
        'if each.get("latency") and',
        "if",
        PROBED,
        ({"icmp": {"lastProbed": GOOD["lastProbed"]}}, {"icmp": GOOD}, math.inf),
    ),
    (
        SAMPLES,
        'for way in ("host", "health-endpoint")]',
        'for way in ("host",)]',
        PROBED,
        ({"icmp": GOOD}, NEVER, math.inf),
    ),
    (
        SAMPLES,
        "oldest = max(ages",
        "oldest = min(ages",
        PROBED,
        ({"icmp": GOOD}, {"icmp": {**GOOD, "lastProbed": "2026-01-01T11:59:00Z"}}, 60.0),
    ),
    (SAMPLES, 'return {node["name"]: _age', 'return {node["name"]: 0.0 and _age', PROBED, (NEVER, NEVER, math.inf)),
    (
        SAMPLES,
        "moment is None and _was_tried(probes)",
        "moment is None",
        PROBED,
        ({"icmp": GOOD}, NEVER, math.inf),
    ),
    (
        SAMPLES,
        'found[node["name"]] = address.get("ip") in ends',
        'found[node["name"]] = bool(ends)',
        "test_nodes_and_tunnels",
        None,
    ),
]
PEERS = f"{RULES}.mesh_peers"
CUT = "test_what_is_there_and_what_is_kept"
WHOLE = {"one": "1", "two": "2", "two-b": "b", "two.etcd-client.key": "k"}
IN_PEERS: list[Mutation] = [
    (
        PEERS,
        "if _belongs(key, members)}",
        "if _belongs(key, [*members, key])}",
        CUT,
        ({"one": "1"}, {"left": "x"}, (), {"one": "1"}, {}),
    ),
    (
        PEERS,
        "if _belongs(key, members)}, **there}",
        "if _belongs(key, members) and key not in there}, **there, **kept}",
        CUT,
        ({"one": "new"}, {"one": "1"}, (), {"one": "new"}, {}),
    ),
    (PEERS, "if _belongs(key, gone)}", "if key in there}", CUT, (WHOLE, {}, (), WHOLE, {})),
    (
        PEERS,
        "key in peers or any(",
        "any(",
        CUT,
        ({"one": "1"}, {"one": "1"}, ("one",), {}, {"one": "1"}),
    ),
    (
        PEERS,
        'key.startswith(f"{peer}.etcd-client")',
        'key.startswith(f"{peer}")',
        CUT,
        (WHOLE, {}, ("two",), {"one": "1", "two-b": "b"}, {"two": "2", "two.etcd-client.key": "k"}),
    ),
]
TABLES = [
    ("mesh_peers", IN_PEERS),
    ("mesh", IN_MESH),
    ("mesh_existing", IN_EXISTING),
    ("mesh_values", IN_VALUES),
    ("mesh_truth", IN_TRUTH),
]
CASES = [(table, mutation) for table, mutations in TABLES for mutation in mutations]


@pytest.mark.parametrize(("table", "mutation"), CASES, ids=[named(mutation) for _table, mutation in CASES])
def test_an_expectation_fails_without_its_guard(
    table: str, mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_caught(mutation, table, monkeypatch)
