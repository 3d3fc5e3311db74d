"""Draws the pictures of chapter.md, from a short real training on Fashion-MNIST.

    python -m docs.chapter_pictures FOLDER

FOLDER holds the data set's four IDX files. The pictures land in docs/pictures; it takes some three minutes.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

import ops
from ops.engines.array import ArrayEngine
from ops.lr_schedules import Constant, OneCycle
from ops.plots import FAINT, INK, LINES, PAPER, Curve, png
from ops.reference import corr2d
from ops.training import Examples, train
from service.data.formats.idx import read_images, read_labels

PICTURES = Path(__file__).parent / "pictures"
SIGNED = LinearSegmentedColormap.from_list("signed", [LINES[0], PAPER, LINES[1]])
GREY = LinearSegmentedColormap.from_list("grey", [PAPER, INK])
PULLOVER, BOOT, SANDAL = 1, 0, 8  # numbers of test images and of one training image that show well


def main(folder: Path) -> None:
    """Draw all of them."""
    training = (
        read_images(folder / "train-images-idx3-ubyte.gz").array,
        read_labels(folder / "train-labels-idx1-ubyte.gz").array,
    )
    test = (
        read_images(folder / "t10k-images-idx3-ubyte.gz").array,
        read_labels(folder / "t10k-labels-idx1-ubyte.gz").array,
    )
    draw_edges(test[0][PULLOVER])
    draw_learning()
    draw_pooling(test[0][BOOT])
    draw_curve(training, test)
    draw_kernels(training, test)


def draw_edges(image: np.ndarray) -> None:
    """The chapter's striped image and a real one, and what the two-number kernel finds in them."""
    stripes = np.ones((6, 8))
    stripes[:, 2:6] = 0
    pixels = image / 255
    figure = Figure(figsize=(7.2, 4.1), layout="constrained")
    cells = figure.subplots(2, 3)
    for row, picture in enumerate((stripes, pixels)):
        across, down = corr2d(picture, [[1, -1]]), corr2d(picture, [[1], [-1]])
        show(cells[row, 0], picture, "the image" if row == 0 else "a real one", GREY, 0, 1)
        show(cells[row, 1], across, "edges across, [1, -1]", SIGNED, -1, 1)
        show(cells[row, 2], down, "edges down, its transpose", SIGNED, -1, 1)
    write(figure, "edges")


def draw_learning() -> None:
    """Ten steps of gradient descent: the loss, and the two numbers of the kernel."""
    x = np.ones((1, 1, 6, 8))
    x[..., 2:6] = 0
    target = ops.conv2d(x, np.array([[[[1.0, -1.0]]]]))
    w = 0.01 * np.random.default_rng(0).normal(size=(1, 1, 1, 2))
    losses, kernels = [], [w.ravel().copy()]
    for _ in range(10):
        loss, dy = ops.squared_error(ops.conv2d(x, w), target)
        w -= 3e-2 * ops.conv2d_grad(dy, x, w)[1]
        losses.append(loss)
        kernels.append(w.ravel().copy())
    figure = Figure(figsize=(7.2, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.semilogy(range(1, 11), losses, color=LINES[0], lw=2, marker="o", ms=4)
    left.set_title("squared error", loc="left", fontsize=10, color=INK)
    for number, colour in ((0, LINES[1]), (1, LINES[0])):
        values = [kernel[number] for kernel in kernels]
        right.plot(range(11), values, color=colour, lw=2, marker="o", ms=4)
        right.axhline((1, -1)[number], color=FAINT, lw=1, ls="--")
    right.set_title("the kernel's two numbers", loc="left", fontsize=10, color=INK)
    for axes in (left, right):
        dress(axes)
        axes.set_xlabel("step", fontsize=9, color=INK)
    write(figure, "learning")


def draw_pooling(image: np.ndarray) -> None:
    """A boot at 28, 14 and 7 pixels: the largest of each window, the mean of each, and every other pixel alone."""
    x = (image / 255)[None, None]
    figure = Figure(figsize=(7.2, 4.9), layout="constrained")
    cells = figure.subplots(2, 3)
    rows = {
        "largest": (ops.max_pool2d(x, 2)[0], ops.max_pool2d(x, 4)[0]),
        "mean": (ops.avg_pool2d(x, 2), ops.avg_pool2d(x, 4)),
    }
    for row, (name, pooled) in zip(cells, rows.items(), strict=True):
        for cell, picture in zip(row, (x, *pooled), strict=True):
            size = picture.shape[-1]
            show(cell, picture[0, 0], f"{size} x {size}" + (f", the {name}" if size < 28 else ""), GREY, 0, 1)
    write(figure, "pooling")


def draw_curve(training: Examples, test: Examples) -> None:
    """LeNet after the textbook's step_config."""
    network = ops.network("lenet", (1, 28, 28), 10)
    engine = ArrayEngine(network, ops.StepConfig())
    curve = Curve("train loss", "train accuracy", "test accuracy", y_max=2.4)
    for epoch in train(network, engine, training, test, epochs=10, batch_size=256, schedule=Constant(0.9)):
        print(epoch)
        curve.add(epoch.number, epoch.loss, epoch.train_accuracy, epoch.test_accuracy)
    (PICTURES / "chapter-training.gif").write_bytes(curve.gif())


def draw_kernels(training: Examples, test: Examples) -> None:
    """The first kernels of LeNet with ReLU after a short training, and what they make of two garments."""
    network = ops.network("lenet-relu", (1, 28, 28), 10)
    engine = ArrayEngine(network, ops.StepConfig(momentum=0.9, nesterov=True, weight_decay=5e-4))
    epochs = list(train(network, engine, training, test, epochs=4, batch_size=128, schedule=OneCycle(0.1)))
    print(epochs[-1])
    parameters = network.parameters(epochs[-1].theta)[0]
    figure = Figure(figsize=(7.2, 3.5), layout="constrained")
    cells = figure.subplots(3, 7)
    largest = np.abs(parameters["weight"]).max()
    cells[0, 0].axis("off")
    for kernel in range(6):
        show(cells[0, kernel + 1], parameters["weight"][kernel, 0], "", SIGNED, -largest, largest)
    for row, image in ((1, test[0][PULLOVER]), (2, training[0][SANDAL])):
        x = (image / np.float32(255))[None, None]
        y = ops.relu(network.layers[0](x, **parameters))
        show(cells[row, 0], x[0, 0], "", GREY, 0, 1)
        for kernel in range(6):
            show(cells[row, kernel + 1], y[0, kernel], "", GREY, 0, y.max() * 0.8)
    write(figure, "kernels")


def show(
    cell: Axes, picture: np.ndarray, title: str, colours: LinearSegmentedColormap, low: float, high: float
) -> None:
    """One image with its title, without axes."""
    cell.imshow(picture, cmap=colours, vmin=low, vmax=high)
    cell.set_title(title, fontsize=9, color=INK)
    cell.set_xticks([])
    cell.set_yticks([])
    for spine in cell.spines.values():
        spine.set_color(FAINT)


def dress(axes: Axes) -> None:
    """Take away what carries no information."""
    axes.set_facecolor(PAPER)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.tick_params(colors=INK, color=FAINT, labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)


def write(figure: Figure, name: str) -> None:
    """Save it as docs/pictures/chapter-NAME.png."""
    (PICTURES / f"chapter-{name}.png").write_bytes(png(figure))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
