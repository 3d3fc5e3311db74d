"""The loop around the kernels: steps, blocks, and the way of an example's bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llvmlite import ir

from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.codegen.lane_data import ACROSS, DOWN, EXAMPLES, FLIPS, LABELS
from ops.engines.simd.codegen.scalars import BYTE, DOUBLE, FLOAT, LONG, WORD, Index, Offset, Scalars
from ops.engines.simd.program.denormals import flushed
from ops.engines.simd.program.layout import PANEL
from ops.engines.simd.program.plan import Plan

ARGUMENTS = (
    ir.PointerType(FLOAT),  # memory: see ops.engines.simd.program.layout
    ir.PointerType(WORD),  # lane data: see ops.engines.simd.codegen.lane_data
    ir.PointerType(BYTE),  # room for the bytes of a block's images
    ir.PointerType(BYTE),  # images of the data set
    ir.PointerType(BYTE),  # their labels; not read where `training` is 0
    ir.PointerType(WORD),  # numbers of the examples, step after step
    ir.PointerType(WORD),  # where each step's begin, and where the last one's end
    ir.PointerType(FLOAT),  # learning rates
    LONG,  # how many steps
    LONG,  # training: 1 to train, 0 to write logits
    ir.PointerType(FLOAT),  # logits, example after example; not written where `training` is 1
    ir.PointerType(DOUBLE),  # loss and count of correct answers, summed
)


class StepLoop(Scalars):
    """The function of `ARGUMENTS` that runs a plan, while it is being written.

    Args:
        module: Where it goes, kernels and all.
        name: What it is called.
        plan: What it runs.
    """

    def __init__(self, module: ir.Module, name: str, plan: Plan) -> None:
        super().__init__(module, name, ARGUMENTS)
        self.plan, self.lanes = plan, plan.layout.lanes
        self.memory, self.lane_data, self.pixels, self.images, self.labels, *others = self.function.args
        self.examples, self.offsets, self.rates, self.steps, self.training, self.out, self.result = others

    def write_steps(self) -> ir.Function:
        """Write all of it."""
        for sum_ in (0, 1):
            self.write(ir.Constant(DOUBLE, 0.0), self.result, sum_)
        is_training = self.builder.icmp_signed("!=", self.training, self.long(0))
        with flushed(self), self.loop(0, Index(self, self.steps)) as step:
            first, stop = self.read_index(self.offsets, step), self.read_index(self.offsets, step + 1)
            with (
                self.builder.if_then(first.compare("<", stop)),
                self.builder.if_else(is_training) as (training, predicting),
            ):
                with training:
                    self._train(first, stop, self.read(self.rates, step))
                with predicting:
                    self._predict(first, stop)
        return self.finish()

    def _train(self, first: Index, stop: Index, rate: ir.Value) -> None:
        """One SGD step on the examples from `first` to `stop`; adds to the sums."""
        builder, plan, lanes = self.builder, self.plan, self.lanes
        with self.loop(0, lanes) as lane:
            self.write(rate, self.memory, lane + plan.layout.step.rate)
        size = builder.sitofp((stop - first).value, DOUBLE)
        weight = builder.fptrunc(builder.fdiv(ir.Constant(DOUBLE, 1.0), size), FLOAT)
        self._run(plan.clear)
        slot = self.variable(LONG)
        builder.store(self.long(0), slot)
        with self.loop(first, stop, lanes) as start:
            count = self._least(lanes, stop - start)
            with self.loop(0, lanes) as lane:
                self._write_lane(lane, start, count, weight)
            self._run(plan.augment)
            self._gather(count, augmented=bool(plan.augment))
            self._run(plan.scale)
            block = Index(self, builder.load(slot))
            for kernels in (plan.forward, plan.loss):
                self._run(kernels, block)
            self._add_up(count)
            self._run(plan.backward, block)
            blocks = block + 1
            builder.store(blocks.value, slot)
            is_whole = builder.or_(blocks.compare("==", PANEL), (start + lanes).compare(">=", stop))
            with builder.if_then(is_whole):
                self._run(plan.panel, blocks)
                builder.store(self.long(0), slot)
        self._run(plan.update)

    def _write_lane(self, lane: Index, start: Index, count: Index, weight: ir.Value) -> None:
        """A lane's example, its label, and what it weighs; without an example, one that weighs nothing."""
        rows = (self.lane_data, lane + EXAMPLES * self.lanes), (self.lane_data, lane + LABELS * self.lanes)
        weighed = self.memory, lane + self.plan.layout.step.weight
        with self.builder.if_else(lane.compare("<", count)) as (used, unused):
            with used:
                number = self.read(self.examples, start + lane)
                label = self.read(self.labels, Index(self, self.builder.sext(number, LONG)))
                self.write(number, *rows[0])
                self.write(self.builder.zext(label, WORD), *rows[1])
                self.write(weight, *weighed)
            with unused:
                self.write(ir.Constant(WORD, 0), *rows[0])
                self.write(ir.Constant(WORD, -1), *rows[1])
                self.write(ir.Constant(FLOAT, 0.0), *weighed)

    def _add_up(self, count: Index) -> None:
        """Add the losses of a block's examples, and how many answers are correct, in float64."""
        builder, step = self.builder, self.plan.layout.step
        log = self.module.declare_intrinsic("llvm.log", [DOUBLE])
        with self.loop(0, count) as lane:
            exp_sum, target_sum, target_dot, correct = (
                builder.fpext(self.read(self.memory, lane + start), DOUBLE)
                for start in (step.exp_sum, step.target_sum, step.target_dot, step.correct)
            )
            loss = builder.fsub(builder.fmul(target_sum, builder.call(log, [exp_sum])), target_dot)
            for sum_, number in enumerate((loss, correct)):
                self.write(builder.fadd(self.read(self.result, sum_), number), self.result, sum_)

    def _predict(self, first: Index, stop: Index) -> None:
        """The logits of the examples from `first` to `stop`: in blocks, and a few that are left over one by one."""
        layout, lanes = self.plan.layout, self.lanes
        size = math.prod(self.plan.network.input_shape)
        with self.loop(first, stop, lanes) as start:
            count = self._least(lanes, stop - start)
            few = count.compare("<=", layout.most_single_examples)
            with self.builder.if_else(few) as (one_by_one, together):
                with one_by_one, self.loop(start, start + count) as n:
                    source = self.read_index(self.examples, n) * size
                    with self.loop(0, size) as i:
                        self.write(self.read(self.images, source + i), self.pixels, i)
                    self._run(self.plan.single_example)
                    self._write_logits(n, layout.values[-1], 1)
                with together:
                    with self.loop(0, lanes) as lane:
                        self._write_number(lane, start, count)
                    self._gather(count, augmented=False)
                    self._run(self.plan.scale)
                    self._run(self.plan.predict)
                    with self.loop(0, count) as lane:
                        self._write_logits(start + lane, lane + layout.values[-1], lanes)

    def _write_number(self, lane: Index, start: Index, count: Index) -> None:
        """A lane's example; where there is none, the first of all."""
        with self.builder.if_else(lane.compare("<", count)) as (used, unused):
            with used:
                self.write(self.read(self.examples, start + lane), self.lane_data, lane + EXAMPLES * self.lanes)
            with unused:
                self.write(ir.Constant(WORD, 0), self.lane_data, lane + EXAMPLES * self.lanes)

    def _write_logits(self, n: Index, logits: Offset, stride: int) -> None:
        """An example's logits, which lie `stride` floats apart in the memory."""
        classes = self.plan.network.classes
        with self.loop(0, classes) as c:
            self.write(self.read(self.memory, c * stride + logits), self.out, n * classes + c)

    def _gather(self, count: Index, *, augmented: bool) -> None:
        """Bring the bytes of a block's images together, flipped and shifted in training; zeros for unused lanes."""
        size = math.prod(self.plan.network.input_shape)
        with self.loop(0, self.lanes) as lane:
            target = lane * self.plan.layout.pixels
            with self.builder.if_else(lane.compare("<", count)) as (used, unused):
                with used:
                    source = self.read_index(self.lane_data, lane + EXAMPLES * self.lanes) * size
                    if augmented:
                        self._copy_augmented(target, source, lane)
                    else:
                        with self.loop(0, size) as n:
                            self.write(self.read(self.images, source + n), self.pixels, target + n)
                with unused, self.loop(0, size) as n:
                    self.write(ir.Constant(BYTE, 0), self.pixels, target + n)

    def _copy_augmented(self, target: Index, source: Index, lane: Index) -> None:
        """One image, flipped and shifted, zeros moving in."""
        builder, (channels, height, width) = self.builder, self.plan.network.input_shape
        flip, down, across = (self.read_index(self.lane_data, lane + row * self.lanes) for row in (FLIPS, DOWN, ACROSS))
        flipped = flip.compare("!=", 0)
        with self.loop(0, channels) as channel, self.loop(0, height) as i:
            to, row = target + (channel * height + i) * width, i - down
            begin = source + (channel * height + row) * width
            is_row = self._is_within(row, height)
            with self.loop(0, width) as j:
                column = j - across
                with builder.if_else(builder.and_(is_row, self._is_within(column, width))) as (inside, outside):
                    with inside:
                        mirrored = column * -1 + (width - 1)
                        place = Index(self, builder.select(flipped, mirrored.value, column.value))
                        self.write(self.read(self.images, begin + place), self.pixels, to + j)
                    with outside:
                        self.write(ir.Constant(BYTE, 0), self.pixels, to + j)

    def _is_within(self, index: Index, size: int) -> ir.Value:
        return self.builder.icmp_unsigned("<", index.value, self.long(size))

    def _least(self, number: int, index: Index) -> Index:
        return Index(self, self.builder.select(index.compare("<", number), index.value, self.long(number)))

    def _run(self, kernels: Sequence[Kernel], slot: Offset = 0) -> None:
        """Kernels, one after another. slot: the block's index in its panel, or how many blocks the panel has."""
        for kernel in kernels:
            arguments = [self.memory, self.lane_data, self.pixels, self.long(slot)]
            self.builder.call(kernel.function(self.module), arguments)
