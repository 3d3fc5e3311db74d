"""What a round costs on networks good and bad, as a table: python -m tests.hosts"""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.data import write_idx_dataset
from tests.hosts.hosted_cluster import HOSTS, HostedCluster, seconds_a_round
from tests.hosts.network import Network
from tests.hosts.switch import Link
from tests.jobs import small

LINKS = {
    "as it is": Link(),
    "50 ms": Link(delay_s=0.05),
    "1 % lost": Link(loss=0.01),
    "10 Mbit/s": Link(bits_per_s=10e6),
    "50 ms, 1 % lost": Link(delay_s=0.05, loss=0.01),
    "50 ms, 1 % lost, 10 Mbit/s": Link(delay_s=0.05, loss=0.01, bits_per_s=10e6),
}

if __name__ == "__main__":
    training = small(model="lenet", epochs=12, batch_size=96, averaging={"shards": 3, "average_every": 2})
    with TemporaryDirectory() as temporary:
        source, folder = Path(temporary, "source"), Path(temporary, "own")
        write_idx_dataset(source, train=384)
        folder.mkdir()
        with Network(HOSTS, folder).open() as network, HostedCluster(network, {}).open("blobs", source) as cluster:
            cluster.train("first", training)
            for number, (name, link) in enumerate(LINKS.items()):
                rounds = cluster.train(str(number), training, link)
                print(f"| {name} | {seconds_a_round(rounds):.2f} s |", rounds[-1]["digest"][:8], flush=True)
