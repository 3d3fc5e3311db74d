"""Operators on an ordinary processor's vectors, for networks that no engine has kernels of its own for.

convolution        the products of a convolution, from arrays to calls of kernels
geometry           a convolution's geometry, and the register tiles that suit it
forward            kernel: outputs of a tile of filters
weight_gradient    kernel: gradients of a tile of filters
planes             kernels that copy planes: into their padding, and with the filters innermost
threads            how threads share a kernel's work
function           from a kernel's instructions to a function for Python

Importing this imports no LLVM: the first call that needs a kernel does.
"""
