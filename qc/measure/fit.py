"""Small least-squares fits of a curve with few parameters; spares the import of an optimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qc.measure.roi import Floats


@dataclass(frozen=True, eq=False)
class Fit:
    """Parameters, their covariance, and the SD of the residuals."""

    values: Floats
    covariance: Floats
    residual: float

    @property
    def uncertainties(self) -> Floats:
        """Standard uncertainties of the parameters."""
        return np.asarray(np.sqrt(np.maximum(np.diag(self.covariance), 0.0)))


def linear(matrix: Floats, data: Floats) -> Floats:
    """Solve a small, well-scaled linear least-squares problem (n, k) by its normal equations.

    Ten times quicker than a singular value decomposition, and without the threads of the linear algebra library, which on a busy
    machine wait for each other longer than they calculate.
    """
    normal = np.einsum("ni,nj->ij", matrix, matrix)
    return np.asarray(np.linalg.solve(normal, np.einsum("ni,n->i", matrix, data)))


def least_squares(
    model: Callable[[Floats], Floats], data: Floats, start: Floats, scale: Floats, correlated: float = 1.0, turns: int = 40
) -> Fit:
    """Fit by Levenberg and Marquardt's damped steps, with numerical derivatives.

    Parameters
    ----------
    model
        Parameters (k,) -> curve (n,).
    start, scale
        First guess, and for each parameter a step that changes the curve visibly.
    correlated
        How many neighbouring samples carry the information of one; widens the uncertainties.
    """
    values = np.asarray(start, float).copy()
    scale = np.asarray(scale, float)
    damping, left = 1e-3, data - model(values)
    cost = float(left @ left)
    jacobian = np.zeros((len(data), len(values)))
    for _ in range(turns):
        for at in range(len(values)):
            step = np.zeros(len(values))
            step[at] = 1e-3 * scale[at]
            jacobian[:, at] = (model(values + step) - model(values - step)) / 2e-3  # in units of scale
        normal, right = jacobian.T @ jacobian, jacobian.T @ left
        gained = 0.0
        for _ in range(8):
            move = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12 * np.trace(normal) + 1e-300), right)
            trial = values + move * scale
            new = data - model(trial)
            if float(new @ new) < cost:
                gained = cost - float(new @ new)
                values, left, cost, damping = trial, new, float(new @ new), max(damping / 5, 1e-9)
                break
            damping *= 5
        if gained <= 1e-9 * cost:
            break
    free = max(1.0, len(data) / correlated - len(values))
    variance = cost / correlated / free * correlated
    covariance = np.linalg.pinv(normal) * variance * np.outer(scale, scale)
    return Fit(values, covariance, float(np.sqrt(cost / len(data))))
