"""Where tasks are computed."""

from service.cluster.placement import place

WORKERS = ["tcp://a:1", "tcp://b:1", "tcp://c:1"]


def test_a_shard_is_computed_where_it_was_in_the_round_before():
    rounds = ([f"round-{turn}-{shard}" for shard in range(7)] for turn in range(3))
    where = [[place(keys, WORKERS, restricted=False)["workers"](key) for key in keys] for keys in rounds]
    assert where[0] == where[1] == where[2]
    assert [worker for (worker,) in where[0]] == [WORKERS[shard % 3] for shard in range(7)]
