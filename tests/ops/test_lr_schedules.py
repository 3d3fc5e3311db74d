"""Learning rates over a training, by hand and as PyTorch's schedulers have them."""

import numpy as np
import pytest

from ops.errors import OpsError
from ops.lr_schedules import SCHEDULES, Constant, Cosine, OneCycle, Step, WarmUp, rates

TOTAL = 40
DIVISORS = {"div_factor": 10, "final_div_factor": 9}


def test_constant_stays():
    np.testing.assert_array_equal(rates(Constant(0.9), 3), np.full(3, 0.9, np.float32))


def test_step_falls_by_its_factor():
    np.testing.assert_allclose(rates(Step(1.0, 2, 0.5), 5), [1, 1, 0.5, 0.5, 0.25])


def test_cosine_goes_from_rate_to_final():
    values = rates(Cosine(2.0, final=1.0), 4)
    np.testing.assert_allclose(values, [2, 1.5 + np.sqrt(0.125), 1.5, 1.5 - np.sqrt(0.125)], rtol=1e-6)


def test_one_cycle_rises_and_falls_below_its_start():
    values = rates(OneCycle(1.0), 100)
    assert values.argmax() == 29
    assert values[29] == 1
    np.testing.assert_allclose(values[[0, -1]], [1 / 25, 1 / 25 / 1e4], rtol=1e-5)
    assert (np.diff(values[:30]) > 0).all()
    assert (np.diff(values[29:]) < 0).all()


def test_warm_up_scales_the_first_steps_of_another_schedule():
    np.testing.assert_allclose(rates(WarmUp(Constant(0.8), 4), 6), [0.2, 0.4, 0.6, 0.8, 0.8, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(rates(WarmUp(Cosine(1.0), 0), 9), rates(Cosine(1.0), 9))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("total", [1, 2, 3, 1000])
def test_rates_of_any_length_are_positive_and_at_most_the_highest(name, total):
    values = rates(SCHEDULES[name](0.5), total)
    assert values.shape == (total,)
    assert values.dtype == np.float32
    assert (values > 0).all()
    assert (values <= 0.5).all()


@pytest.mark.parametrize("total", [2, 3, 4, 1000])
def test_one_cycle_ends_where_it_says_however_short_it_is(total):
    np.testing.assert_allclose(rates(OneCycle(0.5, start=10, end=9), total)[-1], 0.5 / 10 / 9, rtol=1e-6)


def test_one_cycle_of_which_one_step_rises_begins_at_its_peak():
    np.testing.assert_allclose(rates(OneCycle(1.0, rise=0.25, start=2, end=2), 4), [1, 0.8125, 0.4375, 0.25])


@pytest.mark.parametrize("rise", [0.0, 1.0])
def test_one_cycle_may_only_fall_or_only_rise(rise):
    values = rates(OneCycle(1.0, rise=rise, start=2, end=2), 9)
    assert (np.sign(np.diff(values)) == (1 if rise else -1)).all()


WRONG = [0, -1, float("nan"), float("inf")]


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        ("rate", Constant),
        ("rate", Cosine),
        ("rate", lambda value: Step(value, 3)),
        ("every", lambda value: Step(1.0, value)),
        ("factor", lambda value: Step(1.0, 3, value)),
        ("peak", OneCycle),
        ("start", lambda value: OneCycle(1.0, start=value)),
        ("end", lambda value: OneCycle(1.0, end=value)),
    ],
)
def test_what_must_be_positive_is_refused_by_its_name(name, schedule, value):
    with pytest.raises(OpsError) as refused:
        schedule(value)
    assert str(refused.value) == f"{name} must be a finite number > 0, got {value!r}"


@pytest.mark.parametrize("rise", [-0.1, 1.5, 2])
def test_a_share_of_rising_steps_that_cannot_be_is_refused(rise):
    with pytest.raises(OpsError) as refused:
        OneCycle(1.0, rise=rise)
    assert str(refused.value) == f"rise must be in [0, 1], got {rise!r}"


def test_a_warm_up_of_fewer_than_no_steps_is_refused():
    with pytest.raises(OpsError) as refused:
        WarmUp(Constant(1.0), -1)
    assert str(refused.value) == "steps must be >= 0, got -1"


@pytest.mark.peers
@pytest.mark.parametrize(
    ("ours", "theirs", "keywords"),
    [
        (Step(0.5, 7, 0.3), "StepLR", {"step_size": 7, "gamma": 0.3}),
        (Cosine(0.5, 0.1), "CosineAnnealingLR", {"T_max": TOTAL, "eta_min": 0.1}),
        (OneCycle(0.5), "OneCycleLR", {"max_lr": 0.5, "total_steps": TOTAL}),
        (OneCycle(0.5, 0.2, 10, 9), "OneCycleLR", {"max_lr": 0.5, "total_steps": TOTAL, "pct_start": 0.2} | DIVISORS),
        (WarmUp(Constant(0.5), 10), "LinearLR", {"start_factor": 0.1, "total_iters": 9}),
    ],
)  # fmt: skip
def test_schedules_are_pytorchs(ours, theirs, keywords):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5, momentum=0.9)
    if theirs == "OneCycleLR":
        keywords = keywords | {"cycle_momentum": False}
    scheduler = getattr(torch.optim.lr_scheduler, theirs)(optimizer, **keywords)
    values = []
    for _ in range(TOTAL):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(rates(ours, TOTAL), values, rtol=1e-6)
