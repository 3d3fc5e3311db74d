"""Where the engine's time goes on a GPU: `python -m tests.gpu.measure` prints tables, for LeNet with a batch of 256."""

import argparse
import re
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from ops import zoo
from ops.engines import array
from ops.engines.base import AveragingRule, Replica, RoundSteps, Steps
from ops.engines.cuda import CudaEngine
from ops.engines.cuda.device import CupyDevice
from ops.step_config import StepConfig

NETWORK = zoo.network("lenet", (1, 28, 28), 10)
EXAMPLES, BATCH, STEPS = 60_000, 256, 234
MARKS = 64


class MarkedDevice(CupyDevice):
    """Has every block of examples_kernel note the clock after each of its passes."""

    def compile(self, code: str, shared: int) -> Any:
        self.names: list[str] = []

        def marked(body: re.Match[str]) -> str:
            return re.sub(r"    (.*)\n    __syncthreads\(\);\n", self._mark, body.group())

        code = re.sub(r"__device__ void (?:forward|backward)\(.*?\n}\n", marked, code, flags=re.DOTALL)
        code = code.replace("    forward<true>(memory", "    MARK(0)\n    forward<true>(memory")
        head = (
            f"__device__ long long marks[{MARKS}];\n"
            "#define MARK(i) if (threadIdx.x == 0 && blockIdx.x == 20) marks[i] = clock64();\n"
        )
        begin = "    const int shard = blockIdx.x / blocks, block = blockIdx.x % blocks;\n"
        at = code.index(begin, code.index("examples_kernel("))
        code = f"{head}{code[:at]}    MARK({MARKS - 1})\n{code[at:]}"
        self.module = self._module(code)
        self._module = lambda _: self.module  # type: ignore[method-assign]  # what was just compiled
        return super().compile(code, shared)

    def _mark(self, line: re.Match[str]) -> str:
        self.names.append(line.group(1).strip())
        return f"{line.group()}    MARK({len(self.names)})\n"

    def marks(self) -> np.ndarray:
        cuda, pointer = self._cupy.cuda, self.module.get_global_var("marks")
        if isinstance(pointer, int):
            pointer = cuda.MemoryPointer(cuda.UnownedMemory(pointer, 8 * MARKS, self), 0)
        return self._cupy.ndarray((MARKS,), np.int64, pointer).get()


def examples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (EXAMPLES, 28, 28), dtype=np.uint8), rng.integers(0, 10, EXAMPLES).astype(np.uint8)


def plan(batch: int, steps: int, seed: int = 0) -> Steps:
    order = np.random.default_rng(seed).permutation(EXAMPLES)[: batch * steps].astype(np.int32)
    return Steps(order, np.arange(0, len(order) + 1, batch, dtype=np.int32), np.full(steps, 0.5, np.float32))


def start() -> Replica:
    theta = NETWORK.init_parameters(0)
    return Replica(theta, np.zeros_like(theta))


def timed(once: Callable[[], object], repeats: int = 7) -> float:
    once()
    seconds = []
    for _ in range(repeats):
        began = perf_counter()
        once()
        seconds.append(perf_counter() - began)
    return median(seconds)


def engines() -> dict[str, CudaEngine]:
    made = {"plain": CudaEngine(NETWORK, StepConfig())}
    began = perf_counter()
    made["tensor cores"] = CudaEngine(NETWORK, StepConfig(), CupyDevice(tensor_cores=True))
    print(f"compiled in {perf_counter() - began:.2f} s", end=", ")
    began = perf_counter()
    CudaEngine(NETWORK, StepConfig(), CupyDevice(tensor_cores=True))
    print(f"the second time in {perf_counter() - began:.3f} s")
    return made


def speeds(engine: CudaEngine) -> None:
    data, replica = engine.load(*examples()), start()
    whole, shards = plan(BATCH, STEPS), [plan(BATCH // 4, STEPS, seed) for seed in range(4)]
    step = timed(lambda: engine.run(replica, data, whole)) / STEPS
    print(f"  run, 256 x {STEPS}:            {1e6 * step:6.2f} us a step, {BATCH / step:12,.0f} examples/s")
    step = timed(lambda: engine.run_shards([replica] * 4, data, shards)) / STEPS
    print(f"  run_shards, 4 x 64 x {STEPS}:  {1e6 * step:6.2f} us a step, {BATCH / step:12,.0f} examples/s")
    for shards_of, steps, count in ((4, 118, 40), (4, 59, 80), (4, 8, 200), (4, 1, 400), (1, 234, 20)):
        parts = [plan(BATCH // shards_of, steps, seed) for seed in range(shards_of)]
        rounds = [RoundSteps(parts, AveragingRule(1.0, 0.3))] * count
        took = timed(lambda r=rounds: list(engine.run_rounds(replica, replica.velocity, data, r)), 3) / count
        rate = BATCH * steps / took
        print(f"  run_rounds, {shards_of} x {steps:3}:         {1e6 * took:8.1f} us a round, {rate:12,.0f} examples/s")


def kernels(engine: CudaEngine) -> None:
    """Microseconds of each kernel in a graph of 32 of its kind."""
    data, replica, device = engine.load(*examples()), start(), engine._device
    shards = [plan(BATCH // 4, 32, seed) for seed in range(4)]
    for of in ([plan(BATCH, 32)], shards):
        engine.run_shards([replica] * len(of), data, of)
        session = engine._sessions.pop()
        step = session.plan.graphs[32][1:3]
        for name, launches in (
            ("examples", step[:1] * 32),
            ("update", step[1:] * 32),
            ("average", session.plan.average),
        ):
            graph = device.graph(session._module, tuple(launches), session._buffers)
            device.wait(device.mark())
            marks = [device.mark()]
            for _ in range(20):
                device.replay(graph)
            marks.append(device.mark())
            device.wait(marks[-1])
            took = 1e6 * device.seconds(*marks) / 20 / (32 if len(launches) == 32 else 1)
            print(f"  {len(of)} shards, {name:9} {took:6.2f} us")


def passes() -> None:
    """Cycles of each pass of a block."""
    device = MarkedDevice()
    engine = CudaEngine(NETWORK, StepConfig(), device)
    data = engine.load(*examples())
    found = []
    for _ in range(5):
        engine.run(start(), data, plan(BATCH, 32))
        found.append(device.marks())
    marks = np.array(found)
    print(f"  {int(np.median(marks[:, 0] - marks[:, -1])):7,} begin")
    for number, name in enumerate(device.names, 1):
        print(f"  {int(np.median(marks[:, number] - marks[:, number - 1])):7,} {name[:150]}")
    print(f"  {int(np.median(marks[:, len(device.names)] - marks[:, -1])):7,} together")


def accuracy(made: dict[str, CudaEngine]) -> None:
    """How far one step's gradient is from that in float64."""
    images, labels = examples()
    batch, replica = np.arange(BATCH, dtype=np.int32), start()
    theta = replica.theta + np.random.default_rng(1).normal(size=len(replica.theta)).astype(np.float32) / 30
    kept, array.scaled = array.scaled, lambda pixels: pixels * np.float64(1 / 255)
    exact_engine = array.ArrayEngine(NETWORK, StepConfig())
    _, _, exact = exact_engine.gradient(theta.astype(np.float64), exact_engine.load(images, labels), batch, 0, 0)
    array.scaled = kept
    in_float32 = array.ArrayEngine(NETWORK, StepConfig())
    _, _, gradient = in_float32.gradient(theta, in_float32.load(images, labels), batch, 0, 0)
    found = {"NumPy, float32": gradient}
    one = Steps(batch, np.array([0, BATCH], np.int32), np.ones(1, np.float32))
    zero = np.zeros_like(theta)
    for name, engine in made.items():
        # with momentum the gradient is in the velocity, where no parameter rounds it off
        engine = CudaEngine(NETWORK, StepConfig(momentum=0.5), engine._device)
        found[name] = engine.run(Replica(theta, zero), engine.load(images, labels), one).replica.velocity
    for name, gradient in found.items():
        errors = []
        for piece in NETWORK.table:
            part = slice(piece.start, piece.stop)
            errors.append(np.linalg.norm(gradient[part] - exact[part]) / np.linalg.norm(exact[part]))
        print(
            f"  {name:16} whole {np.linalg.norm(gradient - exact) / np.linalg.norm(exact):.1e}, worst {max(errors):.1e}"
        )


def once() -> None:
    """One round, for a profiler to look at."""
    engine = CudaEngine(NETWORK, StepConfig())
    engine.run(start(), engine.load(*examples()), plan(BATCH, 4))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", default=["speeds", "kernels", "passes", "accuracy"])
    what = parser.parse_args().what
    if what == ["once"]:
        return once()
    made = engines()
    for name, engine in made.items():
        print(name)
        if "speeds" in what:
            speeds(engine)
        if "kernels" in what:
            kernels(engine)
    if "passes" in what:
        print("passes of a block, cycles")
        passes()
    if "accuracy" in what:
        print("relative error of a gradient")
        accuracy(made)
    return None


if __name__ == "__main__":
    main()
