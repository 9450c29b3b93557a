"""Generated CRDs on their way into a chart."""

from __future__ import annotations

from typing import Any

import yaml

from lab.build.charts import crd_template, with_conversion
from lab.build.programs import METALLB_VERSION, MODULES
from lab.outputs import CHARTS


def crd(*versions: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a"}, "spec": {"versions": [{"name": name, **more} for name in versions]}}


def test_versions_are_converted_where_there_are_several() -> None:
    one, two = crd("v1"), crd("v1beta1", "v1beta2")
    assert with_conversion(one, "ns") == one
    found = with_conversion(two, "ns")
    webhook = found["spec"].pop("conversion")
    assert found == two == crd("v1beta1", "v1beta2")
    assert webhook == {
        "strategy": "Webhook",
        "webhook": {
            "clientConfig": {"service": {"name": "metallb-webhook-service", "namespace": "ns", "path": "/convert"}},
            "conversionReviewVersions": ["v1beta1", "v1beta2"],
        },
    }


def test_a_template_of_crds_leaves_to_helm_what_is_helms_alone() -> None:
    first, *lines, last = crd_template([crd("v1", pattern="^{{2}}$"), crd("v1", "v2")]).splitlines()
    assert (first, last) == ("{{- if .Values.crds.enabled }}", "{{- end }}")
    rendered = "\n".join(lines).replace("{{ .Release.Namespace }}", "ns").replace('{{ "{{" }}', "{{")
    assert list(yaml.safe_load_all(rendered)) == [crd("v1", pattern="^{{2}}$"), with_conversion(crd("v1", "v2"), "ns")]


def test_chart_images_and_programs_of_metallb_are_of_one_version() -> None:
    chart = yaml.safe_load((CHARTS / "metallb" / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (METALLB_VERSION, f"v{METALLB_VERSION}")
    assert f"\tgo.universe.tf/metallb v{METALLB_VERSION} " in (MODULES / "metallb" / "go.mod").read_text()
