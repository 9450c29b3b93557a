"""MetalLB for real: its own word, full and overlapping pools, a webhook not ready, BGP, an address that moves."""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _metallb, _services
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call
from balanced import (
    BALANCED,
    ETCD,
    METALLB,
    PLANES,
    PODS,
    client_targets,
    look_until,
    pool_of,
    until,
)
from clients import services
from lab.settings import Lab
from objects import present
from support import Audit, Played, kubectl, module, places, play

GONE = ("--for=delete", "--timeout=280s")


@pytest.fixture(scope="module")
def lab(balanced_lab: Lab) -> Lab:
    return balanced_lab


@pytest.fixture(scope="module")
def inventory(balanced_inventory: Path) -> Path:
    return balanced_inventory


@pytest.fixture(scope="module")
def site(balanced_site: Played) -> Played:
    return balanced_site


def metallb(lab: Lab, context: str, **changed: Any) -> dict[str, Any]:
    access = {"kubeconfig": str(lab.kubeconfig), "context": context}
    return {**access, "addresses": [pool_of(lab, context)], **changed}


def configured(
    lab: Lab, context: str, said: list[str] | None = None, *, check: bool = False, **changed: Any
) -> dict[str, Any]:
    """The module in this process, so that its words can be heard."""
    defaults = {key: option.get("default") for key, option in _metallb.SPEC.items()}
    params = defaults | {"request_timeout": 10.0, "wait_timeout": 280} | metallb(lab, context, **changed)
    return _metallb.run(Call(params, check, say=(said if said is not None else []).append))


def test_metallb_says_that_its_configuration_is_valid(lab: Lab, site: Played) -> None:
    for context in PLANES:
        await_valid(lab, context)


def await_valid(lab: Lab, context: str) -> None:
    counted = {"addresses": [pool_of(lab, context)], "assigned": 2, "available": 6}

    def all_have_looked() -> bool:
        found = module(lab, "metallb_configuration", metallb(lab, context), body="action")
        assert not found["changed"]
        assert {state["result"] for state in found["states"]} == {"Valid"}
        both = {state["component"] for state in found["states"]} == {"controller", "speaker"}
        return both and found["pools"]["kubeblocks"] == counted

    until(all_have_looked)


def filler(number: int) -> dict[str, Any]:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"nobody": "here"}}
    metadata = {"namespace": "default", "name": f"filler-{number}"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def opened(lab: Lab, context: str, said: list[str], **changed: Any) -> dict[str, Any]:
    defaults = {key: option.get("default") for key, option in _services.SPEC.items()}
    access = {"kubeconfig": str(lab.kubeconfig), "context": context, "contexts": places(lab), "request_timeout": 10.0}
    params = defaults | access | ETCD | {"exposure": "load_balancer", "wait_timeout": 280} | changed
    return _services.run(Call(params, say=said.append))


def test_a_full_pool_is_said_to_be_so_and_waited_for(lab: Lab, site: Played) -> None:
    context, said = "k8s-2", list[str]()
    sentence = "k8s-2 etcd-etcd-1: no address: pool exhausted ("
    with ExitStack() as stack:
        opened(lab, context, said, exposure="none")
        fillers = stack.enter_context(fillers_for(lab, context, 7))
        refusals: list[str] = []

        def is_said() -> bool:
            """MetalLB says so by an event, which may come later than the wait is long."""
            with pytest.raises(Failed) as refused:
                opened(lab, context, said, wait_timeout=3)
            refusals.append(str(refused.value))
            return sentence in refusals[-1]

        until(is_said)
        assert "Widen the pool" in refusals[-1]
        assert any(line.startswith(sentence) for line in said)
        release = threading.Timer(2, fillers.close)
        release.start()
        opened(lab, context, said)  # waits for the address that comes free
        release.join()
    look_until(lab, lambda found: bool(client_targets(found).get("etcd-etcd-1")))


def given(lab: Lab, context: str) -> int:
    """How many fillers have an address."""
    there = services(lab, context, "default")
    return sum(1 for name, body in there.items() if name.startswith("filler") and body["status"]["loadBalancer"])


@contextmanager
def fillers_for(lab: Lab, context: str, number: int) -> Iterator[ExitStack]:
    """Services that take addresses of a pool away until the stack is closed."""
    with ExitStack() as stack:
        stack.enter_context(present(lab, context, *(filler(each) for each in range(number))))
        until(lambda: given(lab, context) == number)
        yield stack


def test_a_pool_that_overlaps_another_one_of_the_cluster_is_refused(lab: Lab, site: Played) -> None:
    theirs = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"namespace": METALLB, "name": "theirs"},
        "spec": {"addresses": ["192.0.2.0/28"]},
    }
    overlapping = {"addresses": [pool_of(lab, "k8s-3"), "192.0.2.8-192.0.2.9"]}

    def is_known() -> bool:
        """MetalLB judges by what it has heard of."""
        try:
            configured(lab, "k8s-3", check=True, **overlapping)
        except Failed:
            return True
        return False

    with present(lab, "k8s-3", theirs):
        until(is_known)
        with pytest.raises(Failed) as refused:
            configured(lab, "k8s-3", **overlapping)
    assert str(refused.value).startswith("k8s-3: cannot patch ipaddresspools metallb-system/kubeblocks: ")
    assert str(refused.value).endswith('overlaps with already defined CIDR "192.0.2.8/31" (HTTP 403).')
    assert not configured(lab, "k8s-3")["changed"]  # nothing was written


def test_a_webhook_that_is_not_ready_is_waited_for(lab: Lab, site: Played) -> None:
    said: list[str] = []
    scale = ("scale", "deployment", "-n", METALLB, "metallb-controller")
    kubectl(lab, "k8s-3", *scale, "--replicas=0")
    kubectl(lab, "k8s-3", "wait", "pod", "-n", METALLB, "-l", "app.kubernetes.io/component=controller", *GONE)
    wider = [pool_of(lab, "k8s-3"), "192.0.2.16/30"]
    with pytest.raises(Failed, match="its webhook does not answer after"):
        configured(lab, "k8s-3", addresses=wider, wait_timeout=2)
    back = threading.Timer(2, kubectl, (lab, "k8s-3", *scale, "--replicas=1"))
    back.start()
    try:
        found = configured(lab, "k8s-3", said, addresses=wider)
    finally:
        back.join()
    assert found["changed"]
    assert found["pools"]["kubeblocks"]["addresses"] == wider
    assert any(line.startswith("k8s-3: waiting for MetalLB's webhook: ") for line in said), said
    configured(lab, "k8s-3")


def test_bgp_is_accepted_by_the_real_webhook_and_taken_away_again(lab: Lab, site: Played, inventory: Path) -> None:
    bgp = {
        "load_balancer_bgp_peers": [
            {
                "name": "router",
                "my_asn": 64500,
                "peer_asn": 64501,
                "peer_address": lab.host_address,
                "hold_time": "90s",
                "ebgp_multi_hop": True,
                "node_selectors": [{"matchLabels": {"kubernetes.io/os": "linux"}}],
            }
        ],
        "load_balancer_bgp_advertisements": [
            {
                "name": "wide",
                "aggregation_length": 32,
                "local_pref": 100,
                "communities": ["64500:1"],
                "peers": ["router"],
            }
        ],
    }
    words = ("-e", "target=k8s-1 role=load_balancer", "-e")
    given = play(lab, "tests/integration/role.yml", *words, json.dumps(BALANCED | bgp), inventory=inventory)
    assert given.code == 0, given.output
    peer = json.loads(kubectl(lab, "k8s-1", "get", "bgppeers.metallb.io", "-n", METALLB, "router", "-o", "json"))
    assert {key: peer["spec"][key] for key in ("myASN", "peerASN", "peerAddress", "ebgpMultiHop")} == {
        "myASN": 64500,
        "peerASN": 64501,
        "peerAddress": lab.host_address,
        "ebgpMultiHop": True,
    }
    again = play(lab, "tests/integration/role.yml", *words, json.dumps(BALANCED | bgp), inventory=inventory)
    assert again.changed == {"k8s-1": 0}, again.output
    bgp["load_balancer_bgp_peers"][0]["peer_asn"] = 0
    refused = play(lab, "tests/integration/role.yml", *words, json.dumps(BALANCED | bgp), inventory=inventory)
    assert refused.code != 0
    assert "cannot patch bgppeers metallb-system/router: " in refused.output
    assert "denied the request: " in refused.output
    without = play(lab, "tests/integration/role.yml", *words, json.dumps(BALANCED), inventory=inventory)
    assert without.code == 0, without.output
    assert (
        kubectl(lab, "k8s-1", "get", "bgppeers.metallb.io,bgpadvertisements.metallb.io", "-n", METALLB, "-o", "name")
        == ""
    )


def test_addresses_in_use_stay_in_the_pool(lab: Lab, site: Played) -> None:
    first, last = pool_of(lab, "k8s-2").split("-")
    peer = services(lab, "k8s-2")[PODS[1]]["status"]["loadBalancer"]["ingress"][0]["ip"]
    other = last if peer == first else first
    with pytest.raises(Failed, match="cannot take addresses out of the pool that are in use: ") as refused:
        configured(lab, "k8s-2", addresses=[f"{other}-{other}"])
    assert f"etcd/etcd-etcd-1 {peer}" in str(refused.value)
    assert not configured(lab, "k8s-2")["changed"]  # nothing was written


def test_nothing_is_taken_away_before_the_webhook_has_taken_what_comes_instead(lab: Lab, site: Played) -> None:
    audit = Audit(lab)
    scale = ("scale", "deployment", "-n", METALLB, "metallb-controller")
    kubectl(lab, "k8s-2", *scale, "--replicas=0")
    kubectl(lab, "k8s-2", "wait", "pod", "-n", METALLB, "-l", "app.kubernetes.io/component=controller", *GONE)
    try:
        with pytest.raises(Failed, match="its webhook does not answer"):
            configured(lab, "k8s-2", pool="other", wait_timeout=2)
        assert [line for line in audit.writes()["k8s-2"] if "metallb.io" in line] == []
    finally:
        kubectl(lab, "k8s-2", *scale, "--replicas=1")
        kubectl(lab, "k8s-2", "rollout", "status", "deployment", "-n", METALLB, "metallb-controller", "--timeout=280s")
    configured(lab, "k8s-2")


def test_an_address_that_moves_is_told(lab: Lab, site: Played) -> None:
    peer = services(lab, "k8s-2")[PODS[1]]
    old = peer["status"]["loadBalancer"]["ingress"][0]["ip"]
    (new, *_others) = free_in_pool(lab, "k8s-2")
    annotate = ("annotate", "service", "-n", "etcd", PODS[1], "--overwrite")
    try:
        kubectl(lab, "k8s-2", *annotate, f"metallb.io/loadBalancerIPs={new}")
        until(lambda: services(lab, "k8s-2")[PODS[1]]["status"]["loadBalancer"].get("ingress") == ingress(new))
        sentence = (
            f"k8s-2 etcd-etcd-1: it is known to the others as {old}, and its Service has {new}: the address moved."
        )
        look_until(lab, lambda found: any(problem.startswith(sentence) for problem in found["problems"]))
    finally:
        kubectl(lab, "k8s-2", *annotate, f"metallb.io/loadBalancerIPs={old}")
        until(lambda: services(lab, "k8s-2")[PODS[1]]["status"]["loadBalancer"].get("ingress") == ingress(old))
        kubectl(lab, "k8s-2", "annotate", "service", "-n", "etcd", PODS[1], "metallb.io/loadBalancerIPs-")
    look_until(lab, lambda found: found["problems"] == [])


def free_in_pool(lab: Lab, context: str) -> list[str]:
    """The pool's addresses that no Service has."""
    first, last = (ipaddress.ip_address(text) for text in pool_of(lab, context).split("-"))
    every = [str(ipaddress.ip_address(number)) for number in range(int(first), int(last) + 1)]
    listed = json.loads(kubectl(lab, context, "get", "services", "-A", "-o", "json"))["items"]
    taken = {each["ip"] for body in listed for each in body["status"]["loadBalancer"].get("ingress") or []}
    return [address for address in every if address not in taken]


def ingress(address: str) -> list[dict[str, str]]:
    return [{"ip": address, "ipMode": "VIP"}]


def test_both_bodies_write_the_same(lab: Lab, site: Played) -> None:
    wider = [pool_of(lab, "k8s-1"), "192.0.2.32/30"]
    first = {}
    for body in ("action", "module"):
        first[body] = module(lab, "metallb_configuration", metallb(lab, "k8s-1", addresses=wider), body=body)
        assert first[body]["changed"], first[body]
        assert not module(lab, "metallb_configuration", metallb(lab, "k8s-1", addresses=wider), body=body)["changed"]
        assert configured(lab, "k8s-1")["changed"]
    assert comparable(first["action"]) == comparable(first["module"])


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """A result without the moments at which MetalLB looked, and what it had counted by then."""
    states = [{**state, "at": ""} for state in result["states"]]
    pools = {name: pool["addresses"] for name, pool in result["pools"].items()}
    return {"results": result["results"], "diff": result["diff"], "pools": pools, "states": states}
