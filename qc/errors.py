"""The errors that mean something; anything else that is raised is a bug.

    QCError
    ├── NotApplicable        the question does not arise for this subject      -> not_evaluable
    ├── Unmeasurable         it arises, but the images do not allow an answer  -> not_evaluable
    ├── UnusableInput        the data are bad, and that is the answer          -> fail
    ├── Transient            try again later (network, locked database)        -> retried
    └── ConfigurationError   settings, limits or parameters are wrong          -> refuses to start

A check raises the first three; the runner turns them into results (see `qc.runner`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class QCError(Exception):
    """Root of the tree."""


class NotEvaluable(QCError):
    """Common root of `NotApplicable` and `Unmeasurable`.

    Parameters
    ----------
    reason
        Reason code: lower case words joined by ``_``, stable, e.g. ``background_not_rayleigh``.
    message
        One sentence for people.
    **facts
        Plain values that support the reason.
    """

    def __init__(self, reason: str, message: str = "", **facts: Any) -> None:
        super().__init__(message or reason)
        self.reason = reason
        self.message = message or reason.replace("_", " ")
        self.facts = facts


class NotApplicable(NotEvaluable):
    """The question does not arise for this subject."""


class Unmeasurable(NotEvaluable):
    """The question arises, but these images do not allow an answer."""


class UnusableInput(QCError):
    """The data are bad: a result, not a crash.

    Parameters
    ----------
    code
        Finding code, e.g. ``header.pixel_spacing``.
    message
        One sentence that quotes the value and says what is allowed.
    """

    def __init__(self, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.facts = facts


class Transient(QCError):
    """Something outside failed for the moment; the only error that is retried."""


class ConfigurationError(QCError):
    """Settings, criteria or parameters are wrong; all problems at once.

    Parameters
    ----------
    problems
        One sentence a problem; each names file, key, value and what is allowed.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("; ".join(self.problems))
