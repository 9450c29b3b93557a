"""``lab build``: packages, programs, tools, CRDs, charts, images and these unpacked, in that order."""

from __future__ import annotations

from lab.build import cilium, images, programs
from lab.build.charts import build_charts
from lab.build.crds import build_crds
from lab.build.oci import build_image
from lab.build.store import Say
from lab.build.tools import build_tools
from lab.build.unpacked import unpack
from lab.settings import CILIUM, ROUTES
from lab.system import install_packages, require_cgroups


def build_everything(say: Say, network: str = ROUTES) -> None:
    """Make all that ``lab up`` needs for a network. Finished parts are found by their content and cost nothing."""
    require_cgroups()  # known at once: nobody should compile for minutes to hear it
    installed = install_packages(network)
    if installed:
        say(f"Debian packages installed: {', '.join(installed)}")
    for module in programs.ALL.values():
        if module.network in ("", network):
            programs.build(module, say)
    if network == CILIUM:
        cilium.build_sources(say)
    build_tools(say)
    build_crds(say)
    build_charts(say)
    for image in images.of_network(network):
        build_image(image, say)
    unpack(network, say)
