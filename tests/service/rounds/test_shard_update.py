import pickle

import numpy as np

from ops.engines.base import Replica
from service.rounds.shard_update import Pace, RoundStats, ShardUpdate

FAST, MIDDLE, SLOW = Pace(0.1, "b"), Pace(0.2, "c"), Pace(0.3, "a")


def stats(examples: int, pace: Pace, ended: float) -> RoundStats:
    return RoundStats(examples, 0.5 * examples, examples // 2, 2.0 * examples, 1.5, ended, pace, pace)


def test_the_stats_of_shards_add_up_and_keep_the_fastest_and_the_slowest():
    total = RoundStats.total([stats(4, MIDDLE, 30.0), stats(6, FAST, 50.0), stats(10, SLOW, 40.0)])
    assert total == RoundStats(20, 10.0, 10, 40.0, 4.5, 50.0, quickest=FAST, slowest=SLOW)
    assert RoundStats.total([total]) == total


def test_losses_are_added_without_rounding_in_between():
    parts = [RoundStats(1, loss, 0, 0.0, 0.0) for loss in (1e16, 1.0, -1e16)]
    assert RoundStats.total(parts).loss == 1.0


def test_copies_of_an_update_have_its_name_and_no_other_update_has():
    def update() -> ShardUpdate:
        return ShardUpdate(Replica(np.ones(3, np.float32), np.zeros(3, np.float32)), stats(1, FAST, 1.0), None)

    one, other = update(), update()
    assert pickle.loads(pickle.dumps(one)).uid == one.uid != other.uid
