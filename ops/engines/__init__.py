"""What executes training steps.

base, spans         the interface, and several shards and rounds by engines that take one at a time
table, choice       engines by name; which one is taken for a network
array, simd, cuda   the engines
"""

from ops.engines.choice import Choice, build, choose
from ops.engines.table import find, names

__all__ = ["Choice", "build", "choose", "find", "names"]
