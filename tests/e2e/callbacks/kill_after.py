"""Callback for the tests: kills ansible-playbook (-9) after a task, or some seconds after its start."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: kill_after
type: aggregate
short_description: Kill the playbook where a test wants it
description: Reads KILL_TASK (the task's name) and KILL_SECONDS (empty to kill when the task has ended).
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Ends its own process without a last word."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill_after"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.task = os.environ["KILL_TASK"]
        self.seconds = os.environ.get("KILL_SECONDS", "")

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        if self.seconds and self._is_it(task):
            timer = threading.Timer(float(self.seconds), self._kill)
            timer.daemon = True
            timer.start()

    def v2_runner_on_ok(self, result: Any) -> None:
        if not self.seconds and self._is_it(result._task):
            self._kill()

    def _is_it(self, task: Any) -> bool:
        return bool(task.get_name().endswith(self.task))

    def _kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
