"""What the networks of the zoo are trained with."""

from types import MappingProxyType
from typing import Any

_ONE_CYCLE = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "schedule": "one-cycle"}
"""How the small networks of the zoo are optimized."""

PRESETS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "lenet-relu": {
            "epochs": 100,
            "batch_size": 128,
            "optimizer": {"lr": 0.05, **_ONE_CYCLE},
            "averaging": {"shards": 2, "average_every": 469, "solo_share": 0.03, "outer_momentum": 0.5},
            "augment": {"flip": True, "shift": 1},
        },
        "convnet": {
            "epochs": 14,
            "batch_size": 128,
            "optimizer": {"lr": 0.03, **_ONE_CYCLE},
            "averaging": {"shards": 2, "average_every": 100, "solo_share": 0.05, "outer_momentum": 0.5},
            "augment": {"flip": True, "shift": 3},
        },
        "groupnet": {
            "epochs": 100,
            "batch_size": 64,
            "optimizer": {"lr": 0.1, "label_smoothing": 0.1, **_ONE_CYCLE},
            "averaging": {"shards": 2, "average_every": 938, "solo_share": 0.03, "outer_momentum": 0.5},
            "augment": {"flip": True, "shift": 1},
            "evaluate": "end",  # of every tenth epoch: to predict all test images takes half a second
            "keep_checkpoints": 10,
        },
        "mlp": {"optimizer": {"lr": 0.1}},
        "alexnet": {"resize": 224, "optimizer": {"lr": 0.01}},
        "vgg": {"resize": 224, "batch_size": 128, "optimizer": {"lr": 0.01}},
        "nin": {"resize": 224, "batch_size": 128, "optimizer": {"lr": 0.05}},
        "googlenet": {"resize": 96, "batch_size": 128, "optimizer": {"lr": 0.01}},
        "resnet18": {"resize": 96, "batch_size": 128, "optimizer": {"lr": 0.01}},
        "densenet": {"resize": 96, "batch_size": 128, "optimizer": {"lr": 0.01}},
    }
)
"""What a network is trained with where nothing else is said; the rest are the defaults of `TrainConfig`."""
