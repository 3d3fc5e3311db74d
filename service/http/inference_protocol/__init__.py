"""The Open Inference Protocol, version 2: tensors out of requests, and responses out of logits.

Every model has one input, `pixels` (n, c, h, w): FP32 in [0, 1], or UINT8 as stored; and two outputs, FP32
(n, classes): `logits` and `probabilities`.
"""

LENGTH_HEADER = "inference-header-content-length"
"""How many bytes of a body are JSON; binary tensors follow."""

OUTPUTS = ("logits", "probabilities")
