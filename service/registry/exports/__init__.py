"""A model in the forms that other programs read: ONNX, tensors by name, one archive.

`formats` knows the registry; `onnx` and `weights` know networks only, so that the registry can use them.
"""
