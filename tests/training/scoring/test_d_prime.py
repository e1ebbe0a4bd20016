import math
from statistics import NormalDist

import numpy as np
import pytest

from kerasnas.training.scoring.d_prime import d_prime


@pytest.mark.parametrize("auc", [0.2, 0.5, 0.945, 0.999])
def test_d_prime_is_the_distance_of_normal_scores_with_that_area(auc: float) -> None:
    # The difference of N(d', 1) and N(0, 1) has the deviation sqrt(2): above 0 with chance AUC.
    distance = float(d_prime(auc))
    assert 1 - NormalDist(distance, math.sqrt(2)).cdf(0) == pytest.approx(auc)


def test_the_figures_of_hershey_2017() -> None:
    # Table 3: ResNet-50, AUC 0.926 and d-prime 2.041; fully connected, 0.851 and 1.471.
    np.testing.assert_allclose(d_prime([0.926, 0.851]), [2.041, 1.471], atol=0.01)
    assert np.isnan(d_prime(np.nan)) and np.isinf(d_prime(1.0))
