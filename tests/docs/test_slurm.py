"""`docs/deploy/slurm.py` with dask-jobqueue, and programs in the place of Slurm's that run the jobs right here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.home import Home
from tests.jobs import SMALL, serial_results, small_job

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue isn't installed")

ROOT = Path(__file__).parents[2]
SBATCH = """#!/bin/sh
cp "$1" "$JOBS/$$"
setsid sh "$JOBS/$$" >"$JOBS/$$.out" 2>&1 &
echo $! >"$JOBS/$$.pid"
echo "Submitted batch job $$"
"""
SCANCEL = """#!/bin/sh
for job; do kill -- "-$(cat "$JOBS/$job.pid")"; done
"""


@pytest.mark.slow
def test_a_training_on_workers_that_are_jobs_ends_in_the_same_bits(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx")
    digests = [result.digest for result in serial_results(job)]
    programs, jobs, shared = (tmp_path / name for name in ("programs", "jobs", "shared"))
    for folder in (programs, jobs, shared):
        folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    words = [
        word
        for name, value in (SMALL | SMALL["optimizer"] | SMALL["averaging"]).items()
        if not isinstance(value, dict)
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    own = ("--jobs", "2", "--processes", "2", "--memory", "2GB", "--interface", "lo", "--shared", str(shared))
    trained = subprocess.run(
        [sys.executable, ROOT / "docs/deploy/slurm.py", *own, "--", "train", "--json", *words],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "JOBS": str(jobs), "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["digest"] == digests[-1]
    scripts = [path.read_text() for path in jobs.iterdir() if not path.suffix]
    assert len(scripts) == 2
    for script in scripts:
        for line in (
            "#SBATCH --cpus-per-task=2",
            "#SBATCH --mem=2G",
            "#SBATCH -t 01:00:00",
            "#SBATCH --signal=TERM@60",
        ):
            assert line in script
        assert "tls://127.0.0.1:" in script
        assert "--nthreads 1 --memory-limit 0.93GiB --nworkers 2" in script
    assert list(shared.iterdir()) == []
