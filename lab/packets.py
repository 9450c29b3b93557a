"""Packet rules behind the faults. The rules are pure; one function installs them, in chains of the lab's own."""

from __future__ import annotations

from collections.abc import Iterable

from lab.cluster.network import UPLINK, namespaces
from lab.cluster.processes import DELAY_QUEUE
from lab.settings import API_PORT, Lab, Node
from lab.system import run

# Chain → the hook of the mangle table that leads to it, and what passes there.
_NODE_HOOKS = {
    "LAB-IN": ("PREROUTING", ("-i", UPLINK)),
    "LAB-OUT": ("POSTROUTING", ("-o", UPLINK)),
    "LAB-API": ("INPUT", ("!", "-i", "lo", "-p", "tcp", "--dport", str(API_PORT))),
}
Rules = dict[str, list[str]]


def node_rules(faults: Iterable[tuple[str, str]]) -> Rules:
    """Rules for one node from its faults, each (how, direction): chain → iptables rules, first match wins."""
    rules: Rules = {"LAB-IN": [], "LAB-OUT": [], "LAB-API": []}
    for how, direction in sorted(faults):
        if how == "api":
            rules["LAB-API"].append("-j DROP")
        if how == "data":
            for chain in ("LAB-IN", "LAB-OUT"):
                rules[chain] += [
                    f"-p tcp -m tcp ! --dport {API_PORT} -m tcp ! --sport {API_PORT} -j DROP",
                    "! -p tcp -j DROP",
                ]
        if how == "partition" or (how == "asymmetric" and direction == "out"):
            rules["LAB-IN"].append("-j DROP")
        if how == "partition" or (how == "asymmetric" and direction == "in"):
            rules["LAB-OUT"].append("-j DROP")
        if how == "slow":
            for chain in ("LAB-IN", "LAB-OUT"):
                rules[chain].append(f"-j NFQUEUE --queue-num {DELAY_QUEUE} --queue-bypass")
    return rules


def set_node_rules(node: Node, rules: Rules) -> None:
    if node.namespace in namespaces():
        _install(["ip", "netns", "exec", node.namespace], _NODE_HOOKS, rules, node.name)


def set_host_cut(lab: Lab, cut: bool) -> None:
    """Cut the Ansible host off from the lab's bridge, or let it back. Bridged traffic never comes this way."""
    rules = {chain: ["-j DROP"] if cut else [] for chain in _host_hooks(lab)}
    if cut or _host_chains_exist(lab):
        _install([], _host_hooks(lab), rules, "the host")


def remove_host_rules(lab: Lab) -> None:
    if not _host_chains_exist(lab):
        return
    for chain, (hook, match) in _host_hooks(lab).items():
        for words in (["-D", hook, *match, "-j", chain], ["-F", chain], ["-X", chain]):
            run(["iptables", "-w", "-t", "mangle", *words], what=f"remove chain {chain}", check=False)


def _host_hooks(lab: Lab) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {
        f"{lab.bridge}-in": ("INPUT", ("-i", lab.bridge)),
        f"{lab.bridge}-out": ("OUTPUT", ("-o", lab.bridge)),
    }


def _host_chains_exist(lab: Lab) -> bool:
    chain = next(iter(_host_hooks(lab)))
    listed = run(["iptables", "-w", "-t", "mangle", "-S", chain], what="list packet rules", check=False)
    return listed.returncode == 0


def _install(prefix: list[str], hooks: dict[str, tuple[str, tuple[str, ...]]], rules: Rules, where: str) -> None:
    """Replace the chains' contents in one step, then make sure that the hooks lead there."""
    lines = ["*mangle", *(f":{chain} - [0:0]" for chain in hooks)]
    lines += [f"-A {chain} {rule}" for chain, found in rules.items() for rule in found]
    text = "\n".join([*lines, "COMMIT", ""])
    run([*prefix, "iptables-restore", "-w", "--noflush"], what=f"set packet rules of {where}", stdin=text)
    for chain, (hook, match) in hooks.items():
        jump = [hook, *match, "-j", chain]
        command = [*prefix, "iptables", "-w", "-t", "mangle"]
        if run([*command, "-C", *jump], what="look for a packet rule", check=False).returncode != 0:
            run([*command, "-I", *jump], what=f"lead {hook} of {where} to {chain}")
