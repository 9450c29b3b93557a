"""The lab's own look at an API server: requests with a client certificate, a short time-out, and nothing cached."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from lab.settings import LabError, Node


class Api:
    """One API server, as seen by one of the identities that the lab made."""

    def __init__(self, node: Node, identity: str = "lab", timeout: float = 5.0) -> None:
        pki = node.folder / "pki"
        self.node = node
        self._pool = urllib3.HTTPSConnectionPool(
            node.address,
            int(node.server.rsplit(":", 1)[1]),
            ca_certs=str(pki / "ca.crt"),
            cert_file=str(pki / f"{identity}.crt"),
            key_file=str(pki / f"{identity}.key"),
            timeout=timeout,
            retries=False,
            maxsize=4,
        )

    def ready(self) -> bool:
        try:
            return self._pool.request("GET", "/readyz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def get(self, path: str) -> Any:
        """The object at a path, or None where there is none."""
        return self._send("GET", path)

    def apply(self, path: str, body: dict[str, Any]) -> Any:
        """Server-side apply; ``path`` names the object."""
        query = "?fieldManager=lab&force=true"
        return self._send("PATCH", path + query, body, "application/apply-patch+yaml")

    def delete(self, path: str) -> Any:
        return self._send("DELETE", path)

    def _send(self, verb: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        encoded = None if body is None else json.dumps(body).encode()
        try:
            answer = self._pool.request(verb, path, body=encoded, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise LabError(f"{self.node.name}: cannot {verb} {path}: {error}") from error
        if answer.status == 404 and verb in ("GET", "DELETE"):
            return None
        if answer.status >= 400:
            raise LabError(f"{self.node.name}: cannot {verb} {path}: HTTP {answer.status} {answer.data.decode()[:400]}")
        return json.loads(answer.data)
