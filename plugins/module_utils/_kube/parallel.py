# Private to this collection.
"""The same question to many contexts at once: one slow or dead context costs its own deadline and no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed

Key = TypeVar("Key")
Answer = TypeVar("Answer")


def ask_all(
    keys: Iterable[Key], question: Callable[[Key], Answer], deadline: float
) -> tuple[dict[Key, Answer], dict[Key, Exception]]:
    """Ask every key in a thread of its own. Returns answers and problems, by key; late is a problem too.

    Threads that are late are left behind: they are daemons, and each of their requests has its own time limit.
    """
    wanted = list(keys)
    answers: dict[Key, Answer] = {}
    problems: dict[Key, Exception] = {}
    defects: list[Exception] = []

    def work(key: Key) -> None:
        try:
            answers[key] = question(key)
        except (ContextError, Failed) as problem:
            problems[key] = problem
        except Exception as problem:  # a defect of ours: raised where the caller waits
            defects.append(problem)

    threads = [threading.Thread(target=work, args=(key,), daemon=True) for key in wanted]
    for thread in threads:
        thread.start()
    end = time.monotonic() + deadline
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    if defects:
        raise defects[0]
    answered, failed = dict(answers), dict(problems)
    late = TimeoutError(f"no answer within {deadline:g} s")
    return (
        {key: answered[key] for key in wanted if key in answered},
        {key: failed.get(key, late) for key in wanted if key not in answered},
    )
