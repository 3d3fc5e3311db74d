#!/usr/bin/env bash
# A whole session on a GPU in one call: tests, then a table of speeds, beside PyTorch. PYTHON has CuPy, pytest and torch.
set -uo pipefail
cd "$(dirname "$0")/../.."
export PYTHONUNBUFFERED=1 PYTHONPATH=.
PYTHON=${PYTHON:-python3}
"$PYTHON" -c 'from ops.engines.cuda.device import missing; print(missing() or "a GPU is here")'
"$PYTHON" -m pytest -q -p no:cacheprovider tests/gpu
status=$?
"$PYTHON" -m service.bench.gpu || status=1
exit "$status"
