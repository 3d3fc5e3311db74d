"""The service beside the application that most people would write, under load:  python -m tests.benchmarks.serving"""

import sys

from service.bench.serving import compare

if __name__ == "__main__":
    ours, peer = ([sys.executable, "-m", f"tests.benchmarks.serving_{name}"] for name in ("ours", "peer"))
    for line in compare(ours, peer):
        print(line, flush=True)
