"""What can be found wrong with a training before anything is started for it."""

import resource

from ops.engines import choose, find
from service.cluster.local_cluster import check_scheduler
from service.config import ClusterConfig, TrainConfig
from service.data import describe
from service.data.catalog import KNOWN
from service.data.inventory import is_there
from service.data.sources import cannot_be_fetched
from service.errors import AtelierError, DataError, InvalidInput
from service.home import Home
from service.registry import Registry
from service.rounds.class_weights import class_weights
from service.rounds.job import network_for, step_config_for
from service.rounds.plan import plan_for, windows_for
from service.rounds.strategies import strategy_for
from service.storage import Address, Bucket
from service.storage.conditions import check_conditional_writes
from service.tracking.registry import check_trackers
from service.training.warm_start import FRESH, WarmStart

LEAST_ADDRESS_SPACE = 1_200_000_000
"""Bytes of address space without which no training begins: threads can't start, and Dask waits for them for minutes."""


def check_training(
    home: Home, config: TrainConfig, cluster: ClusterConfig, warm_start: WarmStart = FRESH, *, resumed: bool = False
) -> None:
    """Raise the error that a training would end with later.

    Data that have not been ingested yet, and a store that will be built again, are not checked.

    Args:
        home: where data and models are.
        config: what is to be trained.
        cluster: where.
        warm_start: what it starts from.
        resumed: whether it was begun before; then it goes on where its trackers can't be reached.

    Raises:
        AtelierError: the home can't be written, or is full; a process may take too little address space; or the run
            can't be tracked.
        InvalidInput: the configuration doesn't fit the data or the engine, or the weights to start from the network.
        NotFound: there is no such model to start from.
        OpsError: the network doesn't fit the data.
        ClusterError: no scheduler answers, or no worker takes tasks.
        DataError: there are no such data, or the weights can't be read.
        StorageError: the run could not be written, or the model not be published.
    """
    _check_address_space()
    home.prepare()
    strategy_for(config.averaging)
    if config.engine != "auto":
        find(config.engine)
    if cluster.scheduler:
        check_scheduler(cluster.scheduler)
    if isinstance(home.runs, Address):
        check_conditional_writes(Bucket(home.runs))
    Registry(home.models).check_publishing()  # that comes last, and hours later
    if not resumed:
        check_trackers(config.track)
    try:
        data = describe(home.store(config.dataset))
    except DataError:
        if config.dataset in KNOWN:
            return
        if is_there(home, config.dataset):
            raise
        raise cannot_be_fetched(config.dataset) from None
    plan_for(config, data.train)
    class_weights(config.class_weights, data.class_names, [1] * data.classes)  # whether it can be read
    if windows_for(config, data) and data.is_chunked and 0 < cluster.data_memory < 2 * config.window:
        raise InvalidInput(
            f"data_memory must be at least twice the window, {2 * config.window} MB, got {cluster.data_memory}"
        )
    network = network_for(config, data)
    warm_start.check(home, network)
    if not cluster.scheduler:
        choose(network, step_config_for(config), engine=config.engine, device=config.device)


def _check_address_space() -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESS_SPACE:
        raise AtelierError(
            f"there is not enough memory: a process may take {limit / 1e6:,.0f} MB of address space (`ulimit -v`), "
            "and a training needs about 2,000 MB"
        )
