"""``site.yml`` killed (-9) after each task that writes and in each Helm wait: the next run goes on, the last is quiet.

One lab, one chain: every run meets what the one before left when it was killed. ``make killed`` takes a fresh lab for
each kill (``tests/soak/test_killed.py``), which takes far longer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import lifecycle
from lab.crossing import cross
from lab.settings import Lab
from support import Played, kubectl, play

SITE = "playbooks/site.yml"
CALLBACKS = str(Path(__file__).parent / "callbacks")
# In the order of site.yml: the task, and how long after its start (empty: when it has ended).
KILLS = [
    ("Objects | Apply them", ""),
    ("Foundation | Apply them", ""),
    ("Foundation | Record which cluster stands behind each context", ""),
    ("Foundation | Keep the CRDs", ""),
    ("Foundation | Keep the operator's credentials for the data planes", ""),
    ("Releases | Claim them, and clear what an interrupted run left", ""),
    ("Releases | Install the operator", "5"),
    ("Releases | Install the operator", ""),
    ("Releases | Install the etcd addon", "0.8"),
    ("Releases | Install the etcd addon", ""),
    ("Pod role | Keep the role of database Pods equal to the control plane's", ""),
    ("Keep the Cluster", ""),
]


def _say(_text: str) -> None:
    """The lab's words are not needed here."""


@contextmanager
def fresh(name: str, number: int) -> Iterator[Lab]:
    """Four empty clusters, taken away at the end."""
    found = Lab(name, range=number)
    lifecycle.down(found.name, _say)
    lifecycle.up(found, _say)
    try:
        yield found
    finally:
        lifecycle.down(found.name, _say)


def killed(lab: Lab, task: str, seconds: str) -> Played:
    extra = {"ANSIBLE_CALLBACK_PLUGINS": CALLBACKS, "ANSIBLE_CALLBACKS_ENABLED": "kill_after"}
    return play(lab, SITE, KILL_TASK=task, KILL_SECONDS=seconds, **extra)


def finishes(lab: Lab) -> None:
    """A run to its end, one etcd, and a run that changes nothing."""
    played = play(lab, SITE)
    assert played.code == 0, played.output
    assert cross(lab)
    releases = kubectl(
        lab,
        "control",
        "get",
        "secrets",
        "-n",
        "kb-system",
        "-l",
        "owner=helm",
        "-o",
        "jsonpath={.items[*].metadata.labels.status}",
    )
    assert set(releases.split()) == {"deployed"}
    quiet = play(lab, SITE)
    assert quiet.code == 0, quiet.output
    assert set(quiet.changed.values()) == {0}, quiet.output


def kill(lab: Lab, task: str, seconds: str) -> None:
    played = killed(lab, task, seconds)
    assert played.code == -9, f"{task} {seconds}: {played.output}"


def test_killed_again_and_again() -> None:
    with fresh("tkill", 1) as lab:
        for task, seconds in KILLS:
            kill(lab, task, seconds)
            time.sleep(0.2)
        finishes(lab)
