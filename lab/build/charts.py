"""MetalLB's chart: the lab's own templates, and among them the CRDs, generated."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from lab.build.crds import metallb_crds
from lab.build.store import Say, build_once, content_key, stored

_OWN = Path(__file__).parent.parent / "charts" / "metallb"
_NAMESPACE = "OF-THE-RELEASE"  # stands for what Helm puts there


def metallb_chart() -> Path:
    """The chart's folder; it is there after ``lab build``."""
    return stored("charts", "metallb", _key(crd_template(metallb_crds())))


def build_charts(say: Say) -> Path:
    crds = crd_template(metallb_crds())

    def make(folder: Path) -> None:
        shutil.copytree(_OWN, folder, dirs_exist_ok=True)
        (folder / "templates" / "crds.yaml").write_text(crds)

    return build_once("charts", "metallb", _key(crds), make, say)


def crd_template(crds: list[dict[str, Any]]) -> str:
    """CRDs as a template, so that an upgrade of the release reaches them."""
    complete = [with_conversion(crd, _NAMESPACE) for crd in crds]
    text = yaml.dump_all(complete, Dumper=yaml.CSafeDumper, sort_keys=False, explicit_start=True)
    text = text.replace("{{", '{{ "{{" }}').replace(_NAMESPACE, "{{ .Release.Namespace }}")
    return f"{{{{- if .Values.crds.enabled }}}}\n{text}{{{{- end }}}}\n"


def with_conversion(crd: dict[str, Any], namespace: str) -> dict[str, Any]:
    """A CRD of several versions with the webhook that converts them, which controller-gen does not write.

    MetalLB's controller writes its CA into that block, and serves no webhook at all where the block is missing.
    """
    if len(crd["spec"]["versions"]) == 1:
        return crd
    service = {"name": "metallb-webhook-service", "namespace": namespace, "path": "/convert"}
    versions = [version["name"] for version in crd["spec"]["versions"]]
    webhook = {"clientConfig": {"service": service}, "conversionReviewVersions": versions}
    return crd | {"spec": crd["spec"] | {"conversion": {"strategy": "Webhook", "webhook": webhook}}}


def _key(crds: str) -> str:
    files = sorted(path for path in _OWN.rglob("*") if path.is_file())
    return content_key([*(part for path in files for part in (str(path.relative_to(_OWN)), path)), crds])
