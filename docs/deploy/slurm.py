"""Runs an `atelier` command on workers that are Slurm jobs, and ends them with it.

    python slurm.py --jobs 4 --processes 16 --memory 32GB --walltime 02:00:00 -- train --shards 64

It needs `pip install dask-jobqueue`, and has the scheduler in this process: on the login node, or in a job of its own.
Scheduler, workers and the command talk TLS, with certificates that only this user can read: on a cluster of many
users, a port that anybody reaches would let them run code in your name.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dask_jobqueue import SLURMCluster
from distributed import Security

PARTS = ("scheduler", "worker", "client")


def main() -> int:
    """Returns the command's exit status."""
    parser = argparse.ArgumentParser(description="Run an atelier command on workers that are Slurm jobs.")
    parser.add_argument("--jobs", type=int, default=1, help="how many jobs to submit")
    parser.add_argument("--processes", type=int, default=1, help="workers a job, one core each")
    parser.add_argument("--memory", default="4GB", help="of a job")
    parser.add_argument("--walltime", default="01:00:00", help="of a job")
    parser.add_argument("--queue", help="Slurm's partition")
    parser.add_argument("--account", help="whom Slurm charges")
    parser.add_argument("--interface", help="the network that all nodes share, e.g. ib0")
    parser.add_argument("--shared", default=str(Path.home()), help="a folder that all nodes see, for the certificates")
    parser.add_argument("--wait", type=int, default=3600, help="seconds to wait for the first worker")
    parser.add_argument("command", nargs="+", help="of atelier, after --")
    options = parser.parse_args()
    with TemporaryDirectory(prefix=".atelier-tls-", dir=options.shared) as folder:
        security, environment = certificates(Path(folder))
        with SLURMCluster(**settings(options, security)) as cluster:
            cluster.scale(jobs=options.jobs)
            cluster.wait_for_workers(1, timeout=options.wait)
            words = [*options.command, "--scheduler", cluster.scheduler_address]
            return run([sys.executable, "-m", "flows", *words], {**os.environ, **environment})


def settings(options: argparse.Namespace, security: Security) -> dict[str, Any]:
    """What `SLURMCluster` is made with: a job has so many workers, each a process with one thread."""
    return {
        "queue": options.queue,
        "account": options.account,
        "walltime": options.walltime,
        "cores": options.processes,
        "processes": options.processes,
        "memory": options.memory,
        "interface": options.interface,
        "death_timeout": 60,
        "security": security,
        "protocol": "tls://",
        "scheduler_options": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        # a polite end: trainings are told before the time is up
        "job_extra_directives": ["--signal=TERM@60"],
    }


def certificates(folder: Path) -> tuple[Security, dict[str, str]]:
    """Certificates of this training alone, in files; what the command needs of them in its environment."""
    temporary = Security.temporary()
    names = ["tls_ca_file", *(f"tls_{part}_{kind}" for part in PARTS for kind in ("cert", "key"))]
    for name in names:
        (folder / name).write_text(getattr(temporary, name))
    paths = {name: str(folder / name) for name in names}
    prefix = "DASK_DISTRIBUTED__COMM"
    environment = {
        f"{prefix}__REQUIRE_ENCRYPTION": "True",
        f"{prefix}__TLS__CA_FILE": paths["tls_ca_file"],
        f"{prefix}__TLS__CLIENT__CERT": paths["tls_client_cert"],
        f"{prefix}__TLS__CLIENT__KEY": paths["tls_client_key"],
    }
    return Security(require_encryption=True, **paths), environment


def run(words: list[str], environment: dict[str, str]) -> int:
    """Run a command to its end. A Ctrl-C is for it; it says how to go on."""
    with subprocess.Popen(words, env=environment) as process:  # noqa: S603 -- the words of whoever runs this
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


if __name__ == "__main__":
    sys.exit(main())
