# Private to this collection.
"""The in-process body of our modules: the same ``run()``, without a process for each task and host."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._run import this_run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call, Run, outcome

_IN_PROCESS = "kubeblocks_in_process"


class InProcess(ActionBase):  # type: ignore[misc]
    """Subclasses name ``SPEC`` and ``RUN`` of their module. Any other connection than local gets the module itself."""

    SPEC: ClassVar[dict[str, Any]]
    RUN: ClassVar[Run]

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        if not self._belongs_here(task_vars or {}):
            arguments = dict(self._task.args)
            if "run_id" in self.SPEC:  # on another host the module could not know whose run it is
                arguments.setdefault("run_id", str(this_run()))
            module = self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val)
            return {**result, **module}
        validated, params = self.validate_argument_spec(self.SPEC)
        call = Call(params, self._task.check_mode, self._task.diff, say=Display().display)
        found = outcome(type(self).RUN, call)
        hidden: dict[str, Any] = remove_values(found, validated._no_log_values)
        return {**result, **hidden}

    def _belongs_here(self, task_vars: dict[str, Any]) -> bool:
        """On the controller itself, as the user who runs ansible-playbook, and waited for."""
        wanted = self._templar.template(task_vars.get(_IN_PROCESS, True))
        local = self._connection.transport == "local" and not self._play_context.become
        return bool(local and wanted and not self._task.async_val)
