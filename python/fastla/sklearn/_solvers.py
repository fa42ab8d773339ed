"""scikit-learn's names of solvers in terms of decomposition's methods."""

from __future__ import annotations

from typing import Any

from sklearn.utils import check_random_state

METHODS = {
    "auto": "auto",
    "full": "full",
    "covariance_eigh": "gram",
    "arpack": "krylov",
    "randomized": "krylov",
}


def tolerance(solver: str, tol: float, power: int, columns: int, short: int) -> float | None:
    """Residuals in terms of the largest singular value; 0 is to rounding.

    "randomized": a digit for each power iteration, 3 at least, so that singular values have twice as many;
    and to rounding where the sketch, so many columns, would hold all of the short side.
    """
    if solver == "arpack":
        return tol
    if solver == "randomized":
        return 0.0 if columns >= short else 10.0 ** -max(power, 3)
    return None


def seed(random_state: Any) -> int | None:
    """A seed; without random_state the same one each time."""
    return (
        None if random_state is None else int(check_random_state(random_state).randint(2**31 - 1))
    )
