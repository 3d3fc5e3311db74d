"""Steps of any network on an NVIDIA GPU: cuDNN's convolutions, cuBLAS's products and kernels of our own in between.

lowering                     from a network's layers to stages
stage, stages, conv_stages   a layer on a GPU, or a few that share a pass over memory
block_stage                  a block, whose layers are stages too
program                      a network's passes, stage by stage
steps, recording             steps one after another, each size of batch recorded as a CUDA graph
rounds                       rounds of several shards whose replicas stay on the GPU
device                       the GPU as all of these see it
launches, kernels.cu         our own kernels
convolution, plans, cudnn    from a product of a convolution to an engine of cuDNN
cublas                       products of matrices

Importing this imports neither CuPy nor cuDNN: `device` does when a `CupyDevice` is made.
"""
