"""All of Dask.

dask_executor                                 the executor: rounds and calls get done, whatever happens to the cluster
connection, handshake, membership, workers    a scheduler, and what it says of its workers
local_cluster, local_workers, gpus             the cluster that a command works on, a worker a GPU or a core
engine_choice, fingerprints, code_version     what workers are asked before a training; which of them may compute it
worker_pool, placement, quarantine            who takes tasks, which worker takes which, workers without tasks
submission                                    rounds as tasks
window, in_flight, span_window                rounds submitted ahead, by shards or by spans
calls                                         other pure functions, such as evaluations
waiting, liveness, stragglers, failure_policy losses, frozen and slow workers, patience, attempts
"""
