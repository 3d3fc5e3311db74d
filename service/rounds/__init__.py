"""Rounds as pure functions: nothing here knows Dask, or runs on disk.

job, plan, schedule            what is trained; which examples a shard takes in a round; which round follows which
windows                        shuffles of data sets that are larger than a worker's memory
split                          which examples are trained on, and which are held out
steps, learning_rates          the SGD steps of a shard in a round, and the learning rate of each
tasks, shard_update            what a task computes, and what a shard hands in after a round
averaging, strategies/         the mean of the replicas, and what becomes of it: one file a paper
train_state, serialization     what a round hands to the next, and how it travels
executor, serial_executor      what gets rounds done: the interface, and the implementation without a cluster
spans, threads                 all shards of several rounds as one task, and its shards side by side
reading, worker_cache          the examples that steps need; engines and data that a process keeps between tasks
"""
