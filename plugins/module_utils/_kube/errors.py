# Private to this collection.
"""One exception for all that can go wrong with a cluster, and the sentence that it makes."""

from __future__ import annotations

from typing import Any


class ContextError(Exception):
    """A failure at one context: ``<context>: cannot <verb> <object>: <reason>. <what to do>``.

    ``status`` is the HTTP status, 0 where no answer came.
    """

    def __init__(self, context: str, verb: str, what: str, reason: str, *, hint: str = "", status: int = 0) -> None:
        self.context = context
        self.verb = verb
        self.what = what
        self.reason = reason
        self.hint = hint
        self.status = status
        super().__init__(self.sentence())

    def sentence(self) -> str:
        code = f" (HTTP {self.status})" if self.status else ""
        cure = f" {self.hint}" if self.hint else ""
        return f"{self.context}: cannot {self.verb} {self.what}: {self.reason.rstrip('.')}{code}.{cure}"


class Failed(Exception):
    """The end of a task: one message for a person, and what was found or done so far for a machine."""

    def __init__(self, message: str, **result: Any) -> None:
        super().__init__(message)
        self.result = result


def hint_for(status: int, verb: str, resource: str, reason: str = "") -> str:
    """What a person can do about an HTTP status, or an empty string."""
    if "denied the request" in reason:  # an admission webhook says 403 too, and why
        return ""
    if status == 401:
        return "The credential is unknown or has run out: renew it in the kubeconfig."
    if status == 403:
        return f"Grant {verb} on {resource} to this kubeconfig's user."
    return ""


def reason_of(problem: Exception) -> str:
    """Why, without whom and what: those are told beside it."""
    return problem.reason if isinstance(problem, ContextError) else str(problem)
