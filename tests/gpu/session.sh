#!/usr/bin/env bash
# A whole session on a GPU in one call: `tests/gpu/session.sh [SECTION...]`, by default all of them in this order.
#
#   engine    steps of LeNet beside PyTorch           service   whole trainings, and the same digest for 1 and 2 workers
#   passes    where such a step's time goes            networks  AlexNet beside PyTorch, by precision
#   tests     tests/gpu
#
# PYTHON has CuPy, pytest, pytest-timeout, hypothesis and, to compare with, torch; what else a training takes comes from
# `packed/` where this tree was unpacked from tests/gpu/pack's archive. Everything goes to $OUT/session.log, what matters
# is printed: a section's last lines, each section with a time of its own so that a failure costs that section alone.
set -uo pipefail
cd "$(dirname "$0")/../.."
OUT=${OUT:-$(mktemp -d)}
PYTHON=${PYTHON:-python3}
export PYTHONUNBUFFERED=1 PYTHONPATH=$PWD:$PWD/packed/site ATELIER_HOME=${ATELIER_HOME:-$(mktemp -d)}
log=$OUT/session.log
status=0

# run LINES SECONDS COMMAND...: the last LINES of what a command says, at most SECONDS of it
run() {
    local lines=$1 seconds=$2 began=$SECONDS code
    shift 2
    echo "== $*" | tee -a "$log"
    timeout "$seconds" "$@" >"$OUT/last.log" 2>&1
    code=$?
    cat "$OUT/last.log" >>"$log"
    tail -n "$lines" "$OUT/last.log"
    echo "-- status $code after $((SECONDS - began)) s" | tee -a "$log"
    [ "$code" = 0 ] || status=1
}

atelier() { # LINES SECONDS ARGUMENTS...
    local lines=$1 seconds=$2
    shift 2
    run "$lines" "$seconds" "$PYTHON" -m flows "$@"
}

engine() {
    run 12 90 "$PYTHON" -m service.bench.gpu
}

passes() {
    run 55 75 "$PYTHON" -m tests.gpu.measure
}

networks() {
    run 12 90 "$PYTHON" -m service.bench.gpu_networks
}

service() {
    [ -d packed/data ] && atelier 1 60 ingest --source packed/data
    atelier 2 60 train --device cuda --workers 1 --epochs 100 --json
    atelier 2 60 train --device cuda --workers 1 --model lenet-relu --json
    local digests=()
    for workers in 1 2; do
        atelier 1 45 train --device cuda --epochs 10 --workers "$workers" --json
        digests+=("$(grep -o '"digest": "[0-9a-f]*"' "$OUT/last.log")")
    done
    if [ -n "${digests[0]}" ] && [ "${digests[0]}" = "${digests[1]}" ]; then
        echo "1 and 2 workers: the same digest" | tee -a "$log"
    else
        echo "1 and 2 workers: NOT the same digest" | tee -a "$log"
        status=1
    fi
    atelier 2 90 train --device cuda --workers 1 --model alexnet --epochs 1 --json
}

tests() {
    local together=()
    "$PYTHON" -c "import xdist" 2>/dev/null && together=(-n 8) # most of the time goes into compiling
    run 15 240 "$PYTHON" -m pytest "${together[@]}" -q -W default::DeprecationWarning -p no:cacheprovider tests/gpu
}

"$PYTHON" -c 'from ops.engines.cuda.device import missing; print(missing() or "a GPU is here")' | tee -a "$log"
[ $# -gt 0 ] || set -- engine passes networks service tests
for section in "$@"; do
    "$section"
done
rm -f "$OUT/last.log"
exit "$status"
