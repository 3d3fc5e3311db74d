"""From kernels to a program that takes steps.

layout, plan            where numbers lie; which kernels run, in which order
step_loop               the loop over steps and blocks around the kernels
compiler                from a plan to machine code
memory                  what one call works in
denormals               tiny numbers as zero
single_kernels          kernels compiled one by one, for those who measure them
"""
