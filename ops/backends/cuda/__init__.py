"""Steps of any network on an NVIDIA GPU: cuDNN's convolutions, cuBLAS's products and kernels of our own in between.

Importing this imports neither CuPy nor cuDNN: `device` does when a `CupyDevice` is made.
"""
