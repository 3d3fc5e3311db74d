"""Plans as hypothesis draws them, and what they come to."""

from typing import Any

from hypothesis import strategies as st

from service.rounds.plan import Plan
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.strategies.post_local_sgd import PostLocalSGD


def plans(*, most_epochs: int, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Plan]:
    """Small plans whose first steps are taken alone. more: what else a plan is made with."""
    return st.builds(
        Plan,
        examples=st.integers(1, 400),
        epochs=st.integers(1, most_epochs),
        batch_size=st.integers(1, 70),
        seed=st.integers(0, 2**63 - 1),
        shards=st.integers(1, 9),
        strategy=st.builds(
            lambda share, every: PostLocalSGD(share, every, FedAvg(every)), st.floats(0, 1), st.integers(1, 40)
        ),
        **more,
    )


def examples_seen(plan: Plan) -> list[list[int]]:
    """The examples that all shards take in each epoch, sorted."""
    seen: dict[int, list[int]] = {epoch: [] for epoch in range(plan.epochs)}
    for round_ in plan.rounds():
        for shard in range(round_.shards):
            seen[round_.epoch] += plan.batches(round_, shard)[0].tolist()
    return [sorted(examples) for examples in seen.values()]
