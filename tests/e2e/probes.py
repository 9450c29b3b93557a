"""What a fault changes and what it does not, seen by asking the clusters from several places."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from balanced import first
from lab.build.programs import program
from lab.cluster.api import Api
from lab.settings import Lab, Node
from lab.status import round_trips

MEMBER = "etcd-etcd-1"
_PORT = 40404


@dataclass(frozen=True)
class Seen:
    """The effects on one context: its API, its member, its disk, its identity, its packets one way and the other."""

    api_from_host: bool
    api_from_control: bool
    peer_port: bool
    linearizable_read: bool
    disk: bool
    same_uid: bool | None
    packets_in: bool
    packets_out: bool
    slow: bool | None


class Probes:
    """Asks about one context of a lab on which the etcd of the playbooks runs."""

    def __init__(self, lab: Lab, context: str) -> None:
        self.lab = lab
        self.node = lab.node(context)
        self.peer = lab.node("k8s-1")
        self.uid = self._uid()
        self.pod_address = ""
        (volume,) = self.node.volumes.iterdir()
        self.marker = volume / "marker"
        self.marker.touch()

    def look(self) -> Seen:
        uid = self._uid()
        self.pod_address = self._address() or self.pod_address
        trips = round_trips(self.node, 3)
        return Seen(
            api_from_host=Api(self.node, timeout=2).ready(),
            api_from_control=self._api_from(self.lab.node("control")) == "True",
            peer_port=self._peer_port(),
            linearizable_read=self._read(),
            disk=self.marker.exists(),
            same_uid=uid == self.uid if uid else None,
            packets_in=self._datagram(self.peer, self.node),
            packets_out=self._datagram(self.node, self.peer),
            slow=trips[0] >= 40 if trips else None,
        )

    def until(self, wanted: Seen) -> None:
        """Look until all is as it should be: what stands is seen, if not at first where the machine is busy."""
        first(self.look, lambda seen: seen == wanted)

    def _uid(self) -> str:
        """Asked inside the node, where no packet rule stands between."""
        words = "['metadata']['uid'] if Api(node, timeout=2).ready() else ''"
        return self._api_from(self.node, f"Api(node, timeout=2).get('/api/v1/namespaces/kube-system'){words}")

    def _address(self) -> str:
        """The member's address: a Pod that was made anew has another."""
        words = f"'/api/v1/namespaces/etcd/pods/{MEMBER}'"
        return self._api_from(
            self.node, f"((Api(node, timeout=2).get({words}) or {{}}).get('status') or {{}}).get('podIP', '')"
        )

    def _api_from(self, place: Node, expression: str = "Api(node, timeout=2).ready()") -> str:
        code = (
            "from lab.settings import load; from lab.cluster.api import Api; "
            f"node = load({self.lab.name!r}).node({self.node.name!r}); print({expression})"
        )
        return self._inside(place, sys.executable, "-c", code)

    def _peer_port(self) -> bool:
        code = (
            "import urllib3; print(urllib3.request('GET', "
            f"'http://{self.pod_address}:2380/version', timeout=2, retries=False).status)"
        )
        return self._inside(self.peer, sys.executable, "-c", code) == "200"

    def _read(self) -> bool:
        words = [f"--endpoints=http://{self.pod_address}:2379", "--command-timeout=3s", "get", "nothing", "-w", "json"]
        return "cluster_id" in self._inside(self.node, str(program("etcd", "etcdctl")), *words)

    def _datagram(self, sender: Node, receiver: Node) -> bool:
        """Whether a UDP packet that nobody answers arrives."""
        wait = f"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', {_PORT})); "
        wait += "print('ready', flush=True); input(); s.settimeout(1.5); print(s.recvfrom(9)[0].decode())"
        send = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        send += f"[s.sendto(b'arrived', ({receiver.address!r}, {_PORT})) for _ in range(3)]"
        command = ["ip", "netns", "exec", receiver.namespace, sys.executable, "-c", wait]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as waiting:
            assert waiting.stdin and waiting.stdout
            assert waiting.stdout.readline().strip() == "ready"
            self._inside(sender, sys.executable, "-c", send)
            waiting.stdin.write("they were sent\n")
            waiting.stdin.flush()
            return "arrived" in waiting.stdout.read()

    def _inside(self, place: Node, *command: str) -> str:
        """What a command prints in a node's network; nothing if it fails or takes too long."""
        try:
            done = subprocess.run(
                ["ip", "netns", "exec", place.namespace, *command],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""


WELL = Seen(True, True, True, True, True, True, True, True, False)
