"""Workers on other hosts need the scheduler's address and a bucket, and no network is so bad that it changes a bit."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from service.config import from_preset
from service.data import ingest
from service.home import Home
from service.rounds.job import Job
from tests.data import write_idx_dataset
from tests.hosts.certificates import Authority
from tests.hosts.hosted_cluster import COORDINATOR, HOSTS, LIMIT_S, WORKERS, HostedCluster, seconds_a_round
from tests.hosts.network import Network, why_no_hosts
from tests.hosts.switch import Link
from tests.jobs import choose_for, serial_results, small

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_hosts()), reason=why_no_hosts() or "there are hosts"),
]

TRAINING = small(model="lenet", resize=28, epochs=3, batch_size=96, averaging={"shards": 3, "average_every": 2})
"""Six rounds, of which each sends LeNet's parameters around."""

OPTIONS = [
    word
    for name, value in (TRAINING | TRAINING["optimizer"] | TRAINING["averaging"]).items()
    if not isinstance(value, dict)
    for word in (f"--{name.replace('_', '-')}", str(value))
]
"""The same, as the command takes it."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    write_idx_dataset(folder, train=384)
    return folder


@pytest.fixture(scope="module")
def embedded(source: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The digest of each round of the same training in one process, with the data in a folder."""
    home = Home(tmp_path_factory.mktemp("embedded"))
    home.prepare()
    config = from_preset(TRAINING)
    job = Job(config, ingest(home, dataset="blobs", source=source), choose_for(config))
    return [result.digest for result in serial_results(job)]


@pytest.fixture(scope="module")
def cluster(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedCluster]:
    folder = tmp_path_factory.mktemp("hosts") / "own"
    folder.mkdir()
    with Network(HOSTS, folder).open() as network, HostedCluster(network, {}).open("blobs", source) as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("plain", Link()),
        ("latency", Link(delay_s=0.05)),
        ("loss", Link(loss=0.01)),
        ("narrow", Link(bits_per_s=10e6)),
        ("all", Link(delay_s=0.05, loss=0.01, bits_per_s=10e6)),
    ],
)
def test_a_bad_network_costs_time_and_no_bit(cluster: HostedCluster, embedded: list[str], name: str, link: Link):
    rounds = cluster.train(name, TRAINING, link)
    assert [entry["digest"] for entry in rounds] == embedded
    print(f"{name}: {seconds_a_round(rounds):.2f} s a round")


@pytest.mark.parametrize(
    ("name", "cut", "seconds"),
    [
        ("one-worker", [pair for pair in combinations(HOSTS, 2) if WORKERS[2] in pair], 7),
        ("two-workers", [WORKERS[:2]], 4),
        ("all-workers", [(COORDINATOR, worker) for worker in WORKERS], 4),
    ],
)
def test_a_partition_that_heals_costs_time_and_no_bit(
    cluster: HostedCluster, embedded: list[str], name: str, cut: list[tuple[str, str]], seconds: float
):
    rounds = cluster.train_across_cut(name, TRAINING, Link(cut=[list(pair) for pair in cut]), seconds)
    assert [entry["digest"] for entry in rounds] == embedded


def test_workers_have_no_run_and_no_data_of_their_own(cluster: HostedCluster):
    for process in cluster.workers.values():
        assert process.poll() is None
        home = Path(f"/proc/{process.pid}/root{cluster.home.root}")
        assert not any((home / name).exists() for name in ("data", "runs", "models"))
    assert (cluster.home.root / "runs").is_dir()


def test_a_cluster_that_talks_tls_alone_trains_and_takes_no_stranger(source: Path, embedded: list[str], tmp_path: Path):
    folder, ours, theirs = tmp_path / "own", Authority("ours"), Authority("theirs")
    folder.mkdir()
    tls = {host: ours.settings_for(host, tmp_path / host) for host in HOSTS}
    # a connection is given up after 11 s without an answer: half a minute by default
    settings = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s"}
    with (
        Network(HOSTS, folder).open() as network,
        HostedCluster(network, tls, **settings).open("blobs", source) as cluster,
    ):
        command = ("flows", "train", "--json", *OPTIONS, "--scheduler", cluster.address)
        assert f'"digest": "{embedded[-1]}"' in cluster.output_of(COORDINATOR, *command)
        before = list(cluster.workers.values())
        everywhere = Link(cut=[[COORDINATOR, worker] for worker in WORKERS])
        rounds = cluster.train_across_cut("long-cut", TRAINING, everywhere, seconds=20)
        assert [entry["digest"] for entry in rounds] == embedded
        assert all(process.poll() is not None for process in before)

        stranger = theirs.settings_for("stranger", tmp_path / "stranger")
        worker = (
            "distributed.cli.dask_worker",
            cluster.address,
            "--no-nanny",
            "--no-dashboard",
            "--death-timeout",
            "3",
        )
        assert cluster.start(WORKERS[0], *worker, **stranger).wait(LIMIT_S) == 1
        assert cluster.start(COORDINATOR, *command, **stranger).wait(LIMIT_S) == 1
        assert "may also refuse this certificate" in cluster.log_of(COORDINATOR)
