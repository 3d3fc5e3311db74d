"""What kernels are written with.

scalars         loops and single numbers, as LLVM's intermediate representation
code            vectors and addresses of a kernel
kernel          a kernel before its code is generated
contraction     register tiles of sums of products
numerics        exp, sigmoid, tanh
tap_maps        which positions of a window meet which numbers of an axis
lane_data       what is known of each example of a block
rng             Philox
"""
