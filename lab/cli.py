"""The command line of the lab."""

from __future__ import annotations

import argparse
import os
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

from lab import faults, lifecycle, status
from lab.build.everything import build_everything
from lab.build.store import Say
from lab.build.tools import tools
from lab.settings import CILIUM, MAX_DATA_PLANES, ROUTES, Lab, LabError, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it went well, 1 with one clear message if not."""
    options = _parser().parse_args(arguments)
    started = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - started:5.1f} s] {text}\n")

    try:
        return int(options.run(options, say) or 0)
    except LabError as error:
        sys.stderr.write(f"lab: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("lab: interrupted; lab up finishes the work, lab down takes it away\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="Real Kubernetes clusters on this machine.")
    parser.add_argument("--name", default=os.environ.get("KUBEBLOCKS_LAB", "lab"), help="which lab (default: lab)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("build", help="compile programs, generate CRDs, write images (cached by content)")
    command.add_argument("--network", choices=(ROUTES, CILIUM), default=ROUTES, help="what this network needs besides")
    command.set_defaults(run=lambda options, say: build_everything(say, options.network))

    command = commands.add_parser("up", help="bring the clusters up; running it twice changes nothing")
    command.add_argument("--data-planes", type=int, default=3, metavar="N", help="how many besides the control plane")
    command.add_argument("--profile", choices=tuple(MAX_DATA_PLANES), default="pods", help="pods: with a node each")
    command.add_argument("--range", type=int, default=0, metavar="R", help="address range, 0 to 7, one for each lab")
    command.add_argument(
        "--network", choices=(ROUTES, CILIUM), default=ROUTES, help="plain routes, or none: site.yml installs Cilium"
    )
    command.add_argument(
        "--shared-identity", action="store_true", help="let the nodes share machine ID, boot ID and zone"
    )
    command.set_defaults(run=_up)

    command = commands.add_parser("down", help="take the clusters away with all that they made")
    command.set_defaults(run=lambda options, say: lifecycle.down(options.name, say) and 0)

    command = commands.add_parser("status", help="clusters, nodes, processes, faults in force")
    command.add_argument("--json", action="store_true", help="the same for a program")
    command.set_defaults(run=lambda options, _say: status.show(_lab(options), as_json=options.json))

    command = commands.add_parser("fail", help="break one context, or the observer")
    command.add_argument("context", help="a context of the lab, or observer (the Ansible host, cut off from all)")
    command.add_argument("--how", choices=faults.KINDS, help="what breaks")
    command.add_argument("--direction", choices=("in", "out"), default="", help="asymmetric: what still passes")
    command.set_defaults(run=_fail)

    command = commands.add_parser("heal", help="undo the faults of one context, or all")
    command.add_argument("context", nargs="?", help="a context, or observer; all if left out")
    command.set_defaults(run=_heal)

    command = commands.add_parser("env", help='print what a shell needs: eval "$(lab env)"')
    command.set_defaults(run=_environment)
    return parser


def _lab(options: argparse.Namespace) -> Lab:
    lab = load(options.name)
    if lab is None:
        raise LabError(f"there is no lab {options.name!r}: run lab --name {options.name} up")
    return lab


def _up(options: argparse.Namespace, say: Say) -> None:
    own, network = not options.shared_identity, options.network
    lab = Lab(options.name, options.range, options.data_planes, options.profile, own, network)
    lifecycle.up(lab, say)
    say(f"inventory: {lab.inventory}")
    say(f"kubeconfig: {lab.kubeconfig}")


def _fail(options: argparse.Namespace, say: Say) -> None:
    lab = _lab(options)
    if (options.context == faults.OBSERVER) == bool(options.how):
        raise LabError("give a context with --how, or observer without it")
    fault = faults.Fault(options.context, options.how or faults.OBSERVER, options.direction)
    with lifecycle.locked(lab.name):
        if not faults.fail(lab, fault, say):
            say(f"{fault.context}: {fault.how} is in force already")
    if fault.how == "slow":
        say(f"{fault.context}: round trip from the host: {_described(status.round_trips(lab.node(fault.context)))}")


def _described(trips: tuple[float, float, float] | None) -> str:
    return "no answer" if trips is None else "min {:.0f} ms, mean {:.0f} ms, max {:.0f} ms".format(*trips)


def _heal(options: argparse.Namespace, say: Say) -> None:
    lab = _lab(options)
    with lifecycle.locked(lab.name):
        if not faults.heal(lab, options.context, say):
            say("no fault is in force")


def _environment(options: argparse.Namespace, _say: Say) -> None:
    lab = _lab(options)
    programs = Path(sys.executable).parent
    tree, packages = Path(__file__).parent.parent / ".cache" / "tree", sysconfig.get_path("purelib")
    variables = {
        "KUBECONFIG": lab.kubeconfig,
        "ANSIBLE_INVENTORY": lab.inventory,
        "ANSIBLE_COLLECTIONS_PATH": f"{tree}:{packages}",
        "PATH": f"{programs}:{tools()}:$PATH",
    }
    sys.stdout.write("".join(f"export {name}={value}\n" for name, value in variables.items()))
