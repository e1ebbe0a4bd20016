"""d', the separation of two normal distributions of scores that have a given AUC.

Source: J. F. Gemmeke et al., "Audio Set", ICASSP 2017, section 5, and S. Hershey et al., "CNN
architectures for large-scale audio classification", ICASSP 2017, section 3.2: d' = sqrt(2)
F^-1(AUC) with the standard normal distribution function F. As there, the value of all classes is
that of their mean AUC, not the mean of theirs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def d_prime(auc: ArrayLike) -> NDArray[np.float64]:
    """Of areas under ROC curves, of any shape; 0 at an area of 0.5, infinite at 1, NaN of NaN."""
    from scipy.special import ndtri

    return np.asarray(np.sqrt(2) * ndtri(np.asarray(auc, np.float64)))
