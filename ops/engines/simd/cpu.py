"""What this machine's processor offers: how wide its vectors are and how many it holds."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Cpu:
    """The processor that kernels are made for.

    Attributes:
        name: What LLVM calls it.
        features: Its features in LLVM's notation.
        lanes: float32 numbers in a vector register, and so examples in a block; 0 where it has no vector FMA.
        registers: How many vector registers there are.
        x86: Whether it is an x86.
    """

    name: str
    features: str
    lanes: int
    registers: int
    x86: bool = True

    @property
    def accumulators(self) -> int:
        """How many accumulators a kernel may hold in registers and still have room for their operands."""
        return self.registers * 3 // 4


@cache
def cpu() -> Cpu:
    """The processor this process runs on."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    name, text = llvm.get_host_cpu_name(), features.flatten()
    if features.get("avx512f") and features.get("avx512dq") and features.get("avx512vl"):
        return Cpu(name, text, lanes=16, registers=32)
    if features.get("avx2") and features.get("fma"):
        return Cpu(name, text, lanes=8, registers=16)
    triple = llvm.get_process_triple()
    if features.get("neon") or triple.startswith(("aarch64", "arm64")):
        return Cpu(name, text, lanes=4, registers=32, x86=False)
    return Cpu(name, text, lanes=0, registers=0, x86="86" in triple)
