#!/usr/bin/env bash
# A whole session on a GPU in one call: `tests/gpu/session.sh [SECTION...]`, by default all of them in this order.
#
#   engine    steps of LeNet beside PyTorch           service   whole trainings: the same digest for 1 and 2 workers on
#   passes    where such a step's time goes                     a GPU, and for one that is killed and resumed
#   tests     tests/gpu                               bench     the whole service beside its engine, PyTorch and JAX
#                                                     networks  larger networks beside PyTorch, by precision
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
DEVICE=${DEVICE:-cuda} EPOCHS=${EPOCHS:-100} # `DEVICE=cpu EPOCHS=4 tests/gpu/session.sh service` tries the script out

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
    run 20 110 "$PYTHON" -m service.bench.gpu_networks
}

bench() {
    atelier 12 60 bench train --device cuda --epochs 20 --repetitions 3
}

digest() { # of the last training, to FILE
    grep -o '"digest": "[0-9a-f]*"' "$OUT/last.log" >"$1"
}

same() { # WHAT FILE FILE
    if [ -s "$2" ] && cmp -s "$2" "$3"; then
        echo "$1: the same digest" | tee -a "$log"
    else
        echo "$1: NOT the same digest" | tee -a "$log"
        status=1
    fi
}

# A training whose processes are all killed in the middle, then resumed.
killed() {
    local before after began=$SECONDS training
    before=$(ls "$ATELIER_HOME/runs" 2>/dev/null)
    setsid "$PYTHON" -m flows train --device "$DEVICE" --workers 2 --epochs "$EPOCHS" --json >>"$log" 2>&1 &
    training=$!
    while kill -0 "$training" 2>/dev/null && [ $((SECONDS - began)) -lt 60 ]; do
        after=$(comm -13 <(echo "$before") <(ls "$ATELIER_HOME/runs") | head -1)
        [ -n "$after" ] && [ "$(grep -c '"round"' "$ATELIER_HOME/runs/$after/rounds.jsonl" 2>/dev/null)" -ge 5 ] && break
        sleep 0.02
    done
    kill -KILL -- "-$training"
    wait "$training" 2>/dev/null
    echo "-- killed after $(grep -c '"round"' "$ATELIER_HOME/runs/$after/rounds.jsonl") rounds" | tee -a "$log"
    atelier 2 60 runs resume "$after" --workers 1 --json
}

service() {
    local scratch
    scratch=$(mktemp -d)
    [ -d packed/data ] && atelier 1 60 ingest --source packed/data
    atelier 2 60 train --device "$DEVICE" --workers 1 --epochs "$EPOCHS" --json
    digest "$scratch/one"
    atelier 2 60 train --device "$DEVICE" --workers 2 --epochs "$EPOCHS" --json # both on the first GPU
    digest "$scratch/two"
    same "1 and 2 workers" "$scratch/one" "$scratch/two"
    killed
    digest "$scratch/killed"
    same "killed and resumed" "$scratch/one" "$scratch/killed"
    atelier 2 60 train --device "$DEVICE" --workers 1 --model lenet-relu --epochs "$EPOCHS" --json
    [ "$DEVICE" = cpu ] || atelier 2 90 train --device cuda --workers 1 --model alexnet --epochs 1 --json
    [ "$DEVICE" = cpu ] || atelier 2 60 train --device cuda --workers 1 --model resnet18 --epochs 1 --precision tf32 --json
}

tests() {
    local together=()
    "$PYTHON" -c "import xdist" 2>/dev/null && together=(-n 8) # most of the time goes into compiling
    run 15 240 "$PYTHON" -m pytest "${together[@]}" -q -W default::DeprecationWarning -p no:cacheprovider tests/gpu
}

"$PYTHON" -c 'from ops.engines.cuda.device import missing; print(missing() or "a GPU is here")' | tee -a "$log"
[ $# -gt 0 ] || set -- engine passes service bench networks tests
for section in "$@"; do
    "$section"
done
rm -f "$OUT/last.log"
exit "$status"
