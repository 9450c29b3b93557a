"""Each guard is taken away or bent in turn, in memory: the expectation that names it must fail."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

COLLECTION = "ansible_collections.kubeblocks.multicluster.plugins.module_utils"
TESTS_OF_RULES = {
    "placement": "placement",
    "members": "members",
    "findings": "findings",
    "identity": "clusters",
    "fate": "clusters",
    "spread": "spread",
    "versions": "conditions",
    "addresses": "conditions",
    "life": "conditions",
    "values": "conditions",
    "remains": "conditions",
    "vantage": "vantage",
    "exposure": "exposure",
    "services": "exposure",
    "endpoints": "endpoints",
    "pools": "exposure",
}
PLACEMENT, MEMBERS, FINDINGS, IDENTITY, FATE, SPREAD, VERSIONS, ADDRESSES, LIFE, VALUES, REMAINS, VANTAGE, *MORE = (
    f"{COLLECTION}._rules.{name}" for name in TESTS_OF_RULES
)
EXPOSURE, SERVICES, ENDPOINTS, POOLS = MORE
CREDENTIALS, RENDER = f"{COLLECTION}._credentials", f"{COLLECTION}._render"
TESTS = {f"{COLLECTION}._rules.{name}": tests for name, tests in TESTS_OF_RULES.items()}
TESTS |= {CREDENTIALS: "credentials", RENDER: "render"}

# Mutation of a module's text: what stands there, what comes instead. Expectation: test and case of its table.
Mutation = tuple[str, str, str, str, Any]

TABLE, QUORUM, DOMAINS = "test_table_of_the_rules", "test_quorum_and_tolerance", "test_declared_domains"
MISSING = "test_what_is_missing_to_one_etcd"
FOUND, SAYS = "test_what_is_found", "test_what_a_finding_says"
FATES, SHARED = "test_failure_domains", "spread: two share a domain"
APART, FOR_ONE = "declared.get(one) != declared.get(other)", "one zone, declared for one"
IN_ANOTHERS, IN_THEIR_OWN = "nodes: in another's pod network", "nodes: in their own pod network"
NO_NAME = "inventory: a name that no Secret can hold"
MEMBERS_FOUND = "test_members_and_their_addresses"
RENEWAL = "test_when_a_token_is_minted_anew"
NO_TWINS = "test_no_two_servers_of_haproxy_have_one_name"

MUTATIONS: list[Mutation] = [
    # From inside
    (VANTAGE, "        if problem\n", "", FOUND, "reach: all is well"),
    (VANTAGE, "if problem is None", "if problem", FOUND, "problem: no image"),
    (VANTAGE, 'problem["kind"] == "image"', 'problem["kind"] != "image"', FOUND, "problem: no image"),
    (VANTAGE, "if not tries)", "if tries)", FOUND, "trips: near"),
    (VANTAGE, "usual[pair] <= HEARTBEAT", "usual[pair] < HEARTBEAT", FOUND, "trips: just a heartbeat"),
    (VANTAGE, "usual[pair] <= HEARTBEAT", "worst <= HEARTBEAT", FOUND, "trips: one try in five is slow"),
    (VANTAGE, "median(tries)", "min(tries)", FOUND, "trips: most tries are slow"),
    (VANTAGE, "max(usual, key", "min(usual, key", FOUND, "trips: one pair is slow"),
    (VANTAGE, "2 * usual[pair] >= ELECTION", "2 * usual[pair] > ELECTION", FOUND, "trips: half an election"),
    (VANTAGE, "2 * usual[pair] >= ELECTION", "usual[pair] >= ELECTION", FOUND, "trips: half an election"),
    (VANTAGE, "wanted != held", "wanted == held", "test_when_to_ask_from_inside", "the same"),
    (VANTAGE, 'mode == "when_changed" and wanted', "wanted", "test_when_to_ask_from_inside", "never"),
    (VANTAGE, 'mode == "always" or (', "(", "test_when_to_ask_from_inside", "always"),
    (IDENTITY, "if not own or context not in marked", "if not own", FOUND, "own cluster, another is marked"),
    (IDENTITY, "if not own or context not in marked", "if context not in marked", FOUND, "no own cluster"),
    (VERSIONS, "set(control) - set(here)", "set(here) - set(control)", FOUND, "CRDs: one is missing"),
    (VERSIONS, "if control[crd] != here[crd]", "", FOUND, "CRDs: equal"),
    (VERSIONS, '[] if here else ["any"]', "[]", FOUND, "CRDs: none anywhere"),
    (VERSIONS, '[] if here else ["any"]', '["any"]', FOUND, "CRDs: before the operator"),
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
    # An operator's identity that the user supplies
    (FINDINGS, "if operator is None:", "if operator is not None:", FOUND, "operator: not there"),
    (FINDINGS, 'if not operator["exists"]:', "if False:", FOUND, "operator: not there"),
    (FINDINGS, 'if not operator["exists"]:', "if True:", FOUND, "operator: all there"),
    (FINDINGS, 'in operator["denied"]', 'in operator["denied"][:1]', FOUND, "operator: two rights lacking"),
    # Which cluster is which
    (IDENTITY, "len(names) < 2", "len(names) < 3", FOUND, "two data planes"),
    (IDENTITY, "len(names) < 2", "len(names) < 1", FOUND, "all differ"),
    (IDENTITY, "len(data) > 1", "len(data) > 2", "test_every_way_in_which_four_names_share_clusters", None),
    (IDENTITY, "len(data) == 1 and data[0] in shared", "data[0] in shared", FOUND, "two data planes are never one"),
    (IDENTITY, "and data[0] in shared", "and shared", FOUND, "control and data, of which another may be"),
    (
        IDENTITY,
        "before is None and name in shared",
        "name in shared",
        FOUND,
        "recorded as another, and now the control plane",
    ),
    (IDENTITY, "None and name in shared", "None and shared", FOUND, "new, and may not"),
    (IDENTITY, '.get("uid") == entry["uid"]', '.get("uid")', FOUND, "new, may be the control plane, and is another"),
    (IDENTITY, "names[-1],", "names[0],", FOUND, "control and data"),
    (IDENTITY, 'not entry["uid"] or entry["uid"] == before', 'entry["uid"] == before', FOUND, "silent"),
    (IDENTITY, 'entry["uid"] == before or', "before is not None or", FOUND, "rebuilt"),
    (IDENTITY, "(before is None and other is None)", "before is None", FOUND, "recorded under another name"),
    (IDENTITY, " or (before is None and other is None)", "", FOUND, "never recorded"),
    (FINDINGS, 'place["context"] in names[:position]', "False", FOUND, "inventory: one name in two kubeconfigs"),
    (IDENTITY, 'record.get(entry["context"], {})', "record.get(name, {})", FOUND, "host of another name"),
    (IDENTITY, "if uid and control_uid and uid", "if control_uid and uid", FOUND, "ours"),
    (IDENTITY, "and control_uid and uid != control_uid", "and uid != control_uid", FOUND, "a silent control plane"),
    (IDENTITY, "and uid != control_uid", "", FOUND, "ours"),
    (FINDINGS, '"identity.duplicate",\n        "identity', '"identity', "test_what_nobody_may_accept", None),
    (FINDINGS, '"identity.changed",\n', "", "test_what_nobody_may_accept", None),
    (FINDINGS, '"identity.control_plane_marked",\n', "", "test_what_nobody_may_accept", None),
    (FINDINGS, '"identity.other_control_plane",\n', "", "test_what_nobody_may_accept", None),
    # Which die together
    (FATE, "if tie.hard or not _apart", "if not _apart", FATES, "one machine, declared apart"),
    (FATE, "tie.hard or not _apart(one, other, declared)", "True", FATES, "one zone, declared apart"),
    (FATE, "tie.hard or not _apart(one, other, declared)", "tie.hard", FATES, "one zone"),
    (FATE, "one in declared and other in declared and declared[one] != declared[other]", APART, FATES, FOR_ONE),
    (FATE, "if _together(one, other, declared)", "if False", FATES, "declared together, and one tied to another"),
    (FATE, "for member in merged:", "for member in (one, other):", FATES, "a chain"),
    (FATE, 'tie.kind == "uids"', "False", FOUND, "one cluster is said elsewhere"),
    (FATE, "if tie.hard or _is_bound(", "if _is_bound(", FOUND, "one machine, declared apart"),
    (FATE, "not (one in declared and other in declared)", "True", FOUND, "one zone for three, the last two together"),
    (FATE, "24 if address.version == 4 else 64", "16", FOUND, "no subnet"),
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
    (SPREAD, "for context in placement\n        if context not in known", "for context in ()", FOUND, "names: unknown"),
    (SPREAD, "for context in operators\n        if context not in known", "for context in ()", FOUND, "dropped: one"),
    (
        SPREAD,
        "for context in operators\n        if context not in known",
        "for context in operators",
        FOUND,
        "dropped: none",
    ),
    (
        SPREAD,
        "not existing or list(existing) == list(asked)",
        "list(existing) == list(asked)",
        FOUND,
        "change: none yet",
    ),
    (SPREAD, "list(existing) == list(asked)", "set(existing) == set(asked)", FOUND, "change: another order"),
    (SPREAD, "existing is None or existing == asked", "existing == asked", FOUND, "replicas: no component"),
    (SPREAD, "existing is None or existing == asked", "existing is None", FOUND, "replicas: the same"),
    (REMAINS, "boot_ids is None or boot_ids", "boot_ids", FOUND, "nodes: not looked at"),
    (REMAINS, "boot_ids is None or boot_ids", "boot_ids is None", FOUND, "nodes: one"),
    (SPREAD, "placement.count(context) > 1}", "placement.count(context) > 2}", FOUND, "names: doubled"),
    (SPREAD, "if context in marked", "if False", FOUND, "names: marked"),
    (SPREAD, "if context in marked", "if marked", FOUND, "names: another is marked"),
    (SPREAD, "if survives_any_domain(replicas, placement, domains):", "if True:", FOUND, "spread: four over three"),
    (SPREAD, "if survives_any_domain(replicas, placement, domains):", "if False:", FOUND, "spread: even"),
    (SPREAD, "any_domain(replicas, placement, domains)", "any_domain(replicas, placement, {})", FOUND, SHARED),
    (SPREAD, "for context in placement}) < 3", "for context in placement}) < 4", FOUND, "spread: four over three"),
    (SPREAD, "{domains.get(context, context) for", "{context for", FOUND, "spread: two share a domain"),
    # Names of contexts
    (FINDINGS, 'if not re.fullmatch(r"[-._A-Za-z0-9]+", place["context"])', "if False", FOUND, NO_NAME),
    (FINDINGS, 'r"[-._A-Za-z0-9]+"', 'r"[a-z]+"', FOUND, "inventory: one control, one data"),
    (SPREAD, "1 <= replicas <= MAX_REPLICAS", "replicas <= MAX_REPLICAS", FOUND, "number: none"),
    (SPREAD, "1 <= replicas <= MAX_REPLICAS", "1 <= replicas", FOUND, "number: ten"),
    # Versions
    (VERSIONS, "if line == (1, 0) and is_release(version):", "if line == (1, 0):", FOUND, "line: 1.0 with a v"),
    (VERSIONS, "if line == (1, 0) and is_release", "if line >= (1, 0) and is_release", FOUND, "line: 1.1"),
    (VERSIONS, "elif line < (1, 0):", "elif False:", FOUND, "line: 0.9"),
    (VERSIONS, "if line < (0, 9):", "if False:", SAYS, "line: 0.8"),
    (VERSIONS, "elif experimental:", "elif True:", FOUND, "line: 1.1"),
    (VERSIONS, "minor < OLDEST_MINOR", "minor <= OLDEST_MINOR", FOUND, "kubernetes: old enough"),
    (VERSIONS, "if apart:", "if apart > 1:", FOUND, "kubernetes: one apart"),
    (VERSIONS, "apart > _FAR_APART", "apart >= _FAR_APART", FOUND, "kubernetes: two apart"),
    (VERSIONS, " if line_of(version) != (0, 0)", "", FOUND, "kubernetes: unreadable"),
    (VERSIONS, "if not needs_instance_api(version):", "if False:", FOUND, "instance API: not needed"),
    (VERSIONS, "if not enabled", "if True", FOUND, "instance API: on"),
    # Networks
    (ADDRESSES, "_overlaps(pods[one], pods[other])", "[]", FOUND, "pods: one in the other"),
    (ADDRESSES, "nodes[one] & nodes[other]", "nodes[one] | nodes[other]", FOUND, "nodes: apart"),
    (ADDRESSES, "_overlaps(pods[name], services[name])", "[]", FOUND, "services: in the pods' network"),
    (ADDRESSES, "if _holds(network, address)", "if owner == name and _holds(network, address)", FOUND, IN_ANOTHERS),
    (ADDRESSES, "if _holds(network, address)", "if owner != name and _holds(network, address)", FOUND, IN_THEIR_OWN),
    # Clocks and lives
    (LIFE, "abs(offset - middle) > _SKEW_SEEN", "abs(offset) > _SKEW_SEEN", FOUND, "clocks: all far from this host"),
    (LIFE, "abs(offset - middle) > _SKEW_SEEN", "abs(offset - middle) >= _SKEW_SEEN", FOUND, "clocks: at the limit"),
    (LIFE, "abs(offset - middle) > _SKEW_BROKEN", "abs(offset - middle) >= _SKEW_BROKEN", FOUND, "clocks: behind"),
    (LIFE, "seconds < _CA_DAYS * DAY", "seconds <= _CA_DAYS * DAY", FOUND, "CA: long"),
    (LIFE, "seconds < _CREDENTIAL_DAYS * DAY", "seconds <= _CREDENTIAL_DAYS * DAY", FOUND, "credential: long"),
    (LIFE, "seconds * 3 < life[context]", "seconds * 3 <= life[context]", FOUND, "token: a third"),
    # Values
    (VALUES, "if not told and any(", "if any(", FOUND, "values: a blank"),
    (VALUES, "any(key in given for", "all(key in given for", FOUND, "values: only disabled"),
    (VALUES, 'or "name" not in entry', "", FOUND, "values: a pull Secret without a name"),
    (VALUES, "if name != name.strip()", "if False", FOUND, "values: a blank"),
    (VALUES, "names.count(name) > 1", "names.count(name) > 2", FOUND, "values: twice"),
    (VALUES, "if name.strip() not in known", "if False", FOUND, "values: unknown"),
    (VALUES, 'if "contexts" in given and name', "if name", FOUND, "values: only disabled"),
    (VALUES, "and name not in contexts", "and False", FOUND, "values: disabled is none of them"),
    (VALUES, 'not given["kubeConfig"]', "False", FOUND, "values: no kubeconfig"),
    # Remains
    (REMAINS, "if not objects:", "if True:", FOUND, "leftovers: four"),
    (REMAINS, 'if phase == "Terminating"', "if True", FOUND, "namespaces: alive"),
    (REMAINS, "list(rules) == list(wanted)", "bool(wanted)", FOUND, "role: emptied"),
    (REMAINS, '"kubernetes.io/no-provisioner"', '"nobody"', FOUND, "provisioner: none"),
    (REMAINS, "provisioner not in drivers", "True", FOUND, "provisioner: driver there"),
    (REMAINS, "provisioner not in drivers", "not drivers", FOUND, "provisioner: driver missing"),
    (REMAINS, "if not operator or not excess:", "if not operator:", FOUND, "excess: none"),
    # Load balancers, Services, addresses
    (EXPOSURE, "    if shared and several:", "    if False:", FOUND, "balancers: one for all"),
    (EXPOSURE, '"vke" in clouds and VKE', "VKE", FOUND, "balancers: nothing asked"),
    (EXPOSURE, "VKE_SUBNET not in extra", "True", FOUND, "balancers: vke with a subnet"),
    (EXPOSURE, "scope == INTERNET and PLAIN", "PLAIN", FOUND, "balancers: nothing asked"),
    (EXPOSURE, "and PLAIN not in accepted", "and not accepted", FOUND, "balancers: another thing accepted"),
    (EXPOSURE, "scope == INTERNET or any", "any", "test_what_is_the_internet", "asked for"),
    (
        EXPOSURE,
        "or any(_is_global(address) for address in addresses)",
        "",
        "test_what_is_the_internet",
        "one of version 6",
    ),
    (EXPOSURE, "{**dict(presets), **extra}", "{**extra, **dict(presets)}", "test_what_is_given_by_hand_wins", None),
    (
        POOLS,
        "        if _touch(ours, theirs):",
        "        if one != other and _touch(ours, theirs):",
        FOUND,
        "pools: twice in one",
    ),
    (POOLS, '("service", "service_networks")', '("service", "none")', FOUND, "pools: around a service network"),
    (POOLS, '+ ([f"holds', '+ ([][:0] and [f"holds', FOUND, "pools: holds a node"),
    (POOLS, "not pools or load_balancer_class", "load_balancer_class", FOUND, "rivals: no pool asked for"),
    (POOLS, "not pools or load_balancer_class", "not pools", FOUND, "rivals: a class of its own"),
    (POOLS, "if provider.startswith(_CLOUDS)", "if provider", FOUND, "rivals: no node says whose it is"),
    (SERVICES, "% len(self.placement)", "% 1", "test_which_services_there_are", "more members than contexts"),
    (
        SERVICES,
        "if here or exposure.kind == MESH",
        "if here",
        "test_which_services_there_are",
        "no member here, but a mesh",
    ),
    (SERVICES, "if here or exposure.kind == MESH", "if True", "test_which_services_there_are", "no member here"),
    (SERVICES, "exposure.kind == NONE or", "exposure.kind == MESH or", "test_which_services_there_are", "a mesh"),
    (
        SERVICES,
        '"labels": {OWN',
        '"labels": {**database.labels, OWN',
        "test_no_service_of_ours_is_counted_by_kubeblocks",
        None,
    ),
    (
        ENDPOINTS,
        "and CLIENT_PORT in rules.ports_of(service)",
        "",
        MEMBERS_FOUND,
        "a peer without the client port leads no client",
    ),
    (
        ENDPOINTS,
        'service["spec"]["selector"][rules.POD_NAME] == pod and',
        "",
        MEMBERS_FOUND,
        "mirrored peers count where their member is",
    ),
    (ENDPOINTS, "    if not found:", "    if False:", MEMBERS_FOUND, "etcd itself says where a silent one is"),
    (
        ENDPOINTS,
        'not (member["leader"] and is_reached(member))',
        'not member["leader"]',
        "test_the_leader_comes_first_then_who_is_reached",
        None,
    ),
    (
        ENDPOINTS,
        "if not now or set(said) <= set(now)",
        "if set(said) <= set(now)",
        "test_an_address_that_moved_is_named",
        None,
    ),
    (ENDPOINTS, 'vantage in ("", place)', "True", "test_the_first_address_that_is_reached_is_rendered", None),
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
    # Where clients find etcd
    (RENDER, ', key=lambda endpoint: not endpoint["reached"]', ', key=lambda _: ""', "test_env", "one not reached"),
    (RENDER, "if _family(host) == 6", "if False", "test_env", "IPv6 too"),
    (RENDER, "if _family(host) == 6", "if False", "test_haproxy", "IPv6 too"),
    (RENDER, '== "https" else []', '== "http" else []', "test_haproxy", "https"),
    (RENDER, "itertools.count(2)", "itertools.count(1)", NO_TWINS, None),
    (RENDER, "if text not in found", "if True", NO_TWINS, None),
    (RENDER, '"STATIC" if all(', '"STATIC" if any(', "test_envoy", "a DNS name"),
    (RENDER, '"STATIC" if all(', '"STRICT_DNS" if all(', "test_envoy", "three"),
    (RENDER, '[endpoint for endpoint in endpoints if endpoint["reached"]]', "endpoints", "test_dns", "one not reached"),
    (RENDER, '0 if endpoint["leader"] else 10', "10", "test_dns", "https"),
    (RENDER, '"_etcd-client-ssl" if', '"_etcd-client" if', "test_dns", "https"),
    (RENDER, "target = label if", "target = label if True or", "test_dns", "a DNS name"),
    (RENDER, "addresses or list(records)[:1]", "list(records)", "test_dns", "a DNS name"),
    (RENDER, "addresses or list(records)[:1]", "addresses", "test_dns", "DNS names only"),
    (RENDER, "dict.fromkeys(", "list(", "test_dns", "one host"),
    (RENDER, '"true" if endpoint["reached"] else "false"', '"true"', "test_kubernetes", "one not reached"),
    (RENDER, '(_family(endpoint["host"]), endpoint["port"])', '(4, endpoint["port"])', "test_kubernetes", "IPv6 too"),
    (RENDER, '(_family(endpoint["host"]), endpoint["port"])', "(4, 30001)", "test_kubernetes", "ports"),
    (RENDER, "address.is_loopback or ", "", "test_kubernetes", "on this machine"),
    (RENDER, "or address.is_link_local ", "", "test_kubernetes", "on this machine"),
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
