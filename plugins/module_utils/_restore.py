# Private to this collection.
"""The dead man's switch: what does not make the operator work is taken back (D3.11, D4.7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _guard, _standins
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._engine import AUTO
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import write_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._scene import (
    Scene,
    affected_by,
    now,
    uids_of,
    who,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._situation import reachable


@contextmanager
def or_put_back(scene: Scene) -> Iterator[None]:
    """What this block writes is taken back where it fails in the middle, as far as the control plane answers."""
    try:
        yield
    except (ContextError, Failed) as problem:
        left = put_back(scene)
        if left:
            lines = "\n".join(f"  {each}" for each in left)
            raise Failed(f"{problem}\nNot all could be put back as it was; run again:\n{lines}") from problem
        raise


def put_back(scene: Scene) -> list[str]:
    """Marks, stand-ins, guard and record as they were before this run, each on its own: what could not be."""
    before = scene.situation.marked
    scene.call.say(f"{scene.client.context}: putting back what was marked before: {', '.join(before) or 'nothing'}")
    problems = []
    for part in (_record, _operator, _stand_ins, _guarded):
        try:
            part(scene)
        except (ContextError, Failed) as problem:
            problems.append(str(problem))
    return problems


def _record(scene: Scene) -> None:
    over = [{"event": "put back", "contexts": [*scene.new, *scene.leaving], "at": now(), "by": who(scene.call)}]
    write_marks(scene.client, scene.operator.namespace, dict(scene.situation.marks), over)


def _operator(scene: Scene) -> None:
    before, operator = scene.situation.marked, scene.operator
    operator.write(operator.choose(AUTO, before), before)


def _stand_ins(scene: Scene) -> None:
    before = scene.situation.marked
    there = reachable(scene.clients, [name for name in scene.situation.known if name not in before])
    steps = _standins.plan_all(there, scene.evidence.known, before, scene.evidence.members).steps
    _standins.write(scene.clients, steps, uids_of(scene.situation))


def _guarded(scene: Scene) -> None:
    before = scene.situation.marked
    _guard.bring(scene.client, before, affected_by(scene.evidence, before))
