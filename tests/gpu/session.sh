#!/usr/bin/env bash
# A whole session on a GPU in one call: `tests/gpu/session.sh [SECTION...]`, by default all of them in this order:
#
#   service   whole trainings: the same digest for 1 and 2 workers on a GPU, and for one that is killed and resumed
#   grains    the same digest whatever a task covers, and with workers killed in mid-span
#   bench     the whole service beside its engine, PyTorch and JAX: lenet and lenet-relu
#   networks  AlexNet beside PyTorch, in float32 and TF32
#   passes    the engine at batch 256, with tensor cores and without, and where a step's time goes
#   tests     tests/gpu
#   engine    steps of LeNet beside PyTorch, without the service
#
# All of it is to take less than LIMIT seconds: a section gets what is left, and none is begun in the last 15.
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
LIMIT=${LIMIT:-470}

# run LINES SECONDS COMMAND...: the last LINES of what a command says, at most SECONDS of it
run() {
    local lines=$1 seconds=$2 began=$SECONDS code left=$((LIMIT - SECONDS))
    shift 2
    echo "== $*" | tee -a "$log"
    : >"$OUT/last.log"
    if [ "$left" -lt 15 ]; then
        echo "-- NOT RUN: $left of $LIMIT s are left" | tee -a "$log"
        status=1
        return
    fi
    [ "$seconds" -le "$left" ] || seconds=$left
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
    run 8 90 "$PYTHON" -m service.bench.gpu_networks alexnet
}

bench() { # PyTorch takes as long for two epochs as we do for a hundred
    local model
    for model in lenet lenet-relu; do
        atelier 9 90 bench train --model "$model" --device cuda --epochs "$EPOCHS" --peer-epochs 2 --repetitions 3
    done
}

grains() {
    data
    run 8 110 "$PYTHON" -m tests.gpu.grains --device "$DEVICE" --epochs $(((EPOCHS + 2) / 3))
}

data() { # the images, once
    [ ! -d packed/data ] || [ -d "$ATELIER_HOME/data" ] || atelier 1 60 ingest --source packed/data
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
    data
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
}

tests() {
    local together=()
    "$PYTHON" -c "import xdist" 2>/dev/null && together=(-n 8) # most of the time goes into compiling
    run 15 240 "$PYTHON" -m pytest "${together[@]}" -q -W default::DeprecationWarning -p no:cacheprovider tests/gpu
}

why=$("$PYTHON" -c 'from ops.engines.cuda.device import missing; print(missing())') || exit
echo "${why:-a GPU is here}" | tee -a "$log"
[ "$DEVICE" = cpu ] || [ -z "$why" ] || {
    echo "no GPU can be used here" >&2
    exit 1
}
[ $# -gt 0 ] || set -- service grains bench networks passes tests engine
for section in "$@"; do
    echo "=== $section, after $SECONDS s" | tee -a "$log"
    "$section"
done
echo "=== all, after $SECONDS s" | tee -a "$log"
rm -f "$OUT/last.log"
exit "$status"
