#!/usr/bin/env bash
# A whole session on a GPU in one call: a table of speeds, beside PyTorch, then the tests. PYTHON has
# CuPy, hypothesis, httpx, pytest, pytest-timeout, threadpoolctl and, to compare with, torch.
set -uo pipefail
cd "$(dirname "$0")/../.."
export PYTHONUNBUFFERED=1 PYTHONPATH=.
PYTHON=${PYTHON:-python3}
"$PYTHON" -c 'from ops.engines.cuda.device import missing; print(missing() or "a GPU is here")'
"$PYTHON" -m service.bench.gpu
status=$?
timeout 420 "$PYTHON" -m pytest -q -W default::DeprecationWarning -p no:cacheprovider tests/gpu || status=1
exit "$status"
