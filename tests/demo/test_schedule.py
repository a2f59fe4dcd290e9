import numpy as np
import pytest
from pack.demo.colours import PRIOR
from pack.demo.schedule import fitted_gains, hidden_layer, reciprocal_gains, sigmas
from pack.plan import Prediction


def test_the_schedule_is_stable_diffusions():
    # The values every sampler prints for SD 1.5 and SDXL: 0.0292 to 14.6146.
    assert sigmas()[[0, -1]] == pytest.approx([0.0292, 14.6146], abs=1e-4)


@pytest.mark.parametrize("prediction", [Prediction.EPS, Prediction.V])
def test_the_gains_are_the_ideal_denoisers(prediction):
    sigma, x, c = sigmas(), 0.7, -0.4
    gain_x, gain_c = (1 / r for r in reciprocal_gains(sigma, prediction))
    scaled = np.sqrt(sigma**2 + 1)
    output = gain_x * x / scaled - gain_c * c
    guess = x - sigma * output if prediction is Prediction.EPS else x / scaled**2 - output * sigma / scaled
    assert guess == pytest.approx((PRIOR**2 * x + sigma**2 * c) / (sigma**2 + PRIOR**2))


@pytest.mark.parametrize("prediction", [Prediction.EPS, Prediction.V])
def test_half_precision_weights_reach_the_gains(prediction):
    for fit, target in zip(fitted_gains(prediction), reciprocal_gains(sigmas(), prediction), strict=True):
        error = hidden_layer() @ fit.astype(np.float64) / target - 1
        assert np.sqrt((error**2).mean()) < 0.005
        assert np.abs(error).max() < 0.05
