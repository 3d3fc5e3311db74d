"""The configuration of a training: one frozen, validated value, the same for command line, form and HTTP.

With the data and what it starts from, `TrainConfig` decides the final bits (all of it but `name`, `tags` and `track`);
nothing else does. Where the work runs (`ClusterConfig`) is kept apart, because it must not.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.errors import InvalidInput
from service.model_ref import NAME
from service.networks.field import DESCRIPTION_ERROR, NetworkField
from service.networks.presets import PRESETS

Name = Annotated[str, Field(pattern=NAME)]

DEFAULT_DATASET = "fashion-mnist"
MOST_CHARACTERS = 64
"""Of a name that `NAME` allows."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def option(default: Any, position: int, description: str, **bounds: Any) -> Any:
    """A field that is an option everywhere: on the command line, in Prefect's form and over HTTP.

    Args:
        default: its value where nothing is said.
        position: its place in the form.
        description: what it is, for people.
        bounds: as pydantic's `Field` takes them.
    """
    return Field(default, description=description, json_schema_extra={"position": position}, **bounds)


class OptimizerConfig(_Frozen):
    """How one step is taken."""

    lr: float = option(0.9, 0, "Learning rate, at its highest if it follows a schedule.", ge=1e-6, le=100)
    momentum: float = option(0.0, 1, "Momentum of the steps, 0 for plain SGD.", ge=0, le=0.999)
    nesterov: bool = option(False, 2, "Look ahead along the velocity.")
    weight_decay: float = option(0.0, 3, "L2 penalty on all parameters.", ge=0, le=1)
    schedule: Literal["constant", "cosine", "one-cycle"] = option(
        "constant", 4, "How the learning rate moves over the run."
    )
    label_smoothing: float = option(0.0, 5, "Share of each target spread over all classes.", ge=0, le=0.9)
    warmup: float = option(0.0, 6, "Share of the run's steps over which the learning rate rises from 0.", ge=0, le=1)
    optimizer: Literal["sgd", "adamw", "lion"] = option(
        "sgd", 7, "The rule: SGD; AdamW or Lion, whose decay is apart from the gradient and which take no momentum."
    )
    beta1: float = option(0.9, 8, "How much of the mean gradient AdamW and Lion keep a step.", ge=0, le=0.9999)
    beta2: float = option(
        0.0, 9, "How much AdamW keeps of the mean square, and Lion of the mean; 0: 0.999 and 0.99.", ge=0, le=0.99999
    )
    clip_norm: float = option(0.0, 10, "Longest gradient; longer ones are scaled down to it; 0: any.", ge=0, le=1e6)


class AugmentConfig(_Frozen):
    """How images are varied while training."""

    flip: bool = option(False, 0, "Mirror each image left to right half of the time.")
    shift: int = option(0, 1, "Move each image by up to so many pixels.", ge=0, le=8)


class AveragingConfig(_Frozen):
    """How the replicas part ways and come together; `service.rounds.strategies` makes a strategy of it."""

    strategy: Name = option(
        "composed",
        0,
        "How replicas become one again: composed, as the other options say, or as a paper has it: adacomm, diloco, "
        "fedavg, growing-interval, post-local-sgd, slowmo.",
    )
    shards: int = option(4, 1, "Logical slices of an epoch, trained side by side.", ge=1, le=4096)
    average_every: int = option(118, 2, "Steps that each shard takes on its own before averaging.", ge=1, le=1_000_000)
    solo_share: float = option(0.15, 3, "Share of the run's steps taken by one task alone, at first.", ge=0, le=1)
    outer_lr: float = option(1.0, 4, "Rate at which the averaged displacement is followed.", ge=0.01, le=10)
    outer_momentum: float = option(0.8, 5, "Nesterov momentum on the averaged displacement.", ge=0, le=0.99)
    first_average_every: int = option(
        0,
        6,
        "Steps before the first average, moving to --average-every by the end; 0: always --average-every.",
        ge=0,
        le=1_000_000,
    )
    target_dispersion: float = option(
        0.0,
        7,
        "Let H follow how fast the replicas disperse: at this dispersion a step it is --average-every; 0: H stays.",
        ge=0,
        le=1,
    )
    velocity: Literal["average", "reset"] = option(
        "average", 8, "What becomes of the shards' velocities at an average."
    )
    lr_scaling: float = option(
        0.0, 9, "While K shards are apart, the learning rate is multiplied by K to this power.", ge=-1, le=1
    )
    solo_steps: int = option(
        1000,
        10,
        "Steps that the start taken alone lasts at least, on data sets of fewer than 30,000 examples.",
        ge=0,
        le=1_000_000,
    )
    final_average: Literal["strategy", "plain"] = option(
        "strategy", 11, "The run's last average: as the strategy has it, or plainly the mean, without outer momentum."
    )
    solo_loss: float = option(
        0.0, 12, "Train loss below which the start taken alone ends before --solo-share; 0: it doesn't.", ge=0, le=1000
    )


class TrainConfig(_Frozen):
    """A training. With the data and what it starts from it decides the final bits.

    Fields that are left out are those of the network's preset, so that a configuration always has all of its fields.
    """

    model: NetworkField = option("lenet", 0, "The network to train: a name of the zoo, or a description in TOML.")
    dataset: Name = option(DEFAULT_DATASET, 1, "The ingested data set to train on.")
    epochs: int = option(10, 2, "How many times every example is seen.", ge=1, le=10_000)
    batch_size: int = option(256, 3, "Examples a step, over all shards together.", ge=1, le=65_536)
    seed: int = option(0, 4, "Decides first weights, shuffles and every other draw.", ge=0, le=2**63 - 1)
    name: str = option(
        "",
        5,
        "What to publish the trained model as; empty means the network's name, with the data set's behind it "
        "where that isn't fashion-mnist.",
        pattern=f"^$|{NAME}",
    )
    optimizer: OptimizerConfig = option(OptimizerConfig(), 6, "How one step is taken.")
    averaging: AveragingConfig = option(AveragingConfig(), 7, "How the replicas part ways and come together.")
    augment: AugmentConfig = option(AugmentConfig(), 8, "How images are varied while training.")
    resize: int = option(0, 9, "Enlarge images to this size first; 0 leaves them as they are.", ge=0, le=512)
    engine: Name = option(
        "auto", 10, "What executes the steps: auto, array, simd, cuda, or an engine of another package."
    )
    device: Literal["auto", "cpu", "cuda"] = option("auto", 11, "Where the steps run.")
    holdout: int = option(
        0, 12, "Training examples kept out to choose settings by; 0 keeps none.", ge=0, le=1_000_000_000
    )
    tags: str = option(
        "", 13, "Words to find the model by, with commas between them.", pattern=f"^$|{NAME[:-1]}(,{NAME[1:-1]})*$"
    )
    precision: Literal["float32", "tf32"] = option(
        "float32", 14, "What a GPU's products are computed in; tf32 rounds their factors, sums stay float32."
    )
    holdout_by: Literal["stratified", "last"] = option(
        "stratified",
        15,
        "Which are kept out: stratified, of every class the same share, drawn by the seed; or the last ones.",
    )
    evaluate: Literal["auto", "epochs", "end"] = option(
        "auto", 16, "When to evaluate: after each epoch, while the next ones train, or at the end; auto: as needed."
    )
    keep: Literal["last", "best"] = option(
        "last", 17, "Which epoch to publish: the last one, or the best one on the examples held out."
    )
    patience: int = option(
        0, 18, "Stop when so many epochs in a row were no better on the examples held out; 0: never.", ge=0, le=10_000
    )
    keep_checkpoints: int = option(
        0,
        19,
        "Keep the checkpoint of every so many epochs, beside the newest and the best; 0: of as many as 2 GB hold.",
        ge=0,
        le=10_000,
    )
    first_epoch: int = option(
        0, 20, "The epoch to begin with, from 0: how many the run took that this one extends.", ge=0, le=10_000
    )
    ema: float = option(
        0.0,
        21,
        "Publish the exponential moving average of the parameters, of which each step keeps this share; 0: themselves.",
        ge=0,
        le=0.999999,
    )
    class_weights: str = option(
        "none",
        22,
        "What classes weigh in the loss: none; balanced: rare ones more, so that all weigh the same; a number for each "
        "class, as in 1,1,4; or by name, as in cat=4,dog=2, others 1.",
        min_length=1,
    )
    track: str = option(
        "",
        23,
        "Show the run in other tools too: mlflow, tensorboard, or several with commas between them.",
        pattern=f"^$|{NAME[:-1]}(,{NAME[1:-1]})*$",
    )
    shuffle: Literal["auto", "full", "windowed"] = option(
        "auto",
        24,
        "How an epoch is shuffled: full, all examples together; windowed, by chunks and windows, which takes less "
        "memory; auto: windowed from 1 GB of images on.",
    )
    window: int = option(
        128, 25, "MB of images that are shuffled together where they are shuffled by windows.", ge=1, le=1_000_000
    )

    @model_validator(mode="before")
    @classmethod
    def _over_preset(cls, given: Any) -> Any:
        """Lay what is given over the preset of its network."""
        network = given.get("model") if isinstance(given, dict) else None
        return overlaid(PRESETS.get(network, {}), given) if isinstance(network, str) else given

    @property
    def chooses_by_validation(self) -> bool:
        """Whether the run's end, or the epoch that is published, depends on the examples that are held out."""
        return self.keep == "best" or self.patience > 0

    @property
    def evaluates_epochs(self) -> bool:
        """Whether epochs are evaluated while the run trains."""
        if self.evaluate == "auto":
            return self.holdout > 0
        return self.evaluate == "epochs" or self.chooses_by_validation

    @property
    def published_name(self) -> str:
        """What the trained model will be called."""
        suffix = "" if self.dataset == DEFAULT_DATASET else f"-{self.dataset}"
        return self.name or f"{self.network_name}{suffix}"[:MOST_CHARACTERS].rstrip("-._")

    @property
    def network_name(self) -> str:
        """What the network is called."""
        return str(self.model)


def from_preset(given: dict[str, Any]) -> TrainConfig:
    """The configuration that has what is given, nested as `TrainConfig` is, over the preset of its network.

    Raises InvalidInput, in one line, for what can't be.
    """
    try:
        return TrainConfig.model_validate(given)
    except ValidationError as error:
        raise explain(error) from None


class ClusterConfig(_Frozen):
    """Where the work runs. None of this can change the result."""

    scheduler: str = option(
        "", 0, "Address of a running Dask scheduler; empty starts a local cluster.", pattern=r"^$|^(tcp|tls)://\S+:\d+$"
    )
    workers: int = option(
        0,
        1,
        "Workers of a local cluster; 0 is one for each GPU that may be used, or else for each processor.",
        ge=0,
        le=256,
    )
    worker_type: Literal["auto", "threads", "processes"] = option(
        "auto",
        2,
        "What a local cluster's workers are, of one process or of their own; auto: threads with the engine simd.",
    )
    data_memory: int = option(
        0,
        3,
        "MB of images that a worker process keeps in memory of a data set shuffled by windows; 0: an eighth of what "
        "it may use.",
        ge=0,
        le=100_000_000,
    )


def explain(error: ValidationError) -> InvalidInput:
    """The first thing that pydantic found wrong, as one line."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or _is_field(part))
    if first["type"] == DESCRIPTION_ERROR:
        return InvalidInput(f"{where}: {first['msg']}")
    _, _, message = first["msg"].partition(" should ")
    return InvalidInput(f"{where} must {message or first['msg']}, got {first['input']!r}")


def _is_field(name: str) -> bool:
    """Whether a part of a path is a field's name. Within a union pydantic adds the name of a type: `int`, `list[…]`."""
    return name.isidentifier() and name.islower() and name not in ("int", "float", "str", "bool")


def overlaid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two nested dictionaries as one; where both have a value, the one above counts."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = overlaid(merged[key], value) if both else value
    return merged
