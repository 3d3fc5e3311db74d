"""Damaged sources: each is refused in one line that names the file, and leaves nothing."""

import gzip
import io
import os
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.data import ingest
from service.errors import DataError
from service.home import Home
from tests.data import idx_bytes
from tests.service.data.formats import sources
from tests.service.data.formats.sources import examples, png

GREY = examples(12)
COLOUR = examples(12, colour=True, side=32)
Case = tuple[Callable[[Path], Path], str]
CASES: dict[str, Case] = {}


def case(message: str) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
    """A decorator: the function writes a damaged source below a folder; the message is what is to be said of it."""

    def add(write: Callable[[Path], Path]) -> Callable[[Path], Path]:
        CASES[write.__name__] = write, message
        return write

    return add


def pictures(name: str, content: bytes) -> tuple[str, Callable[[Path], Path]]:
    """A folder of pictures one of which has this content."""

    def write(folder: Path) -> Path:
        sources.write_folder(folder / "pictures", GREY)
        (folder / "pictures" / "ant" / name).write_bytes(content)
        return folder / "pictures"

    return rf"a picture can't be read \(.*{re.escape(name)}\)", write


def encoded(form: str, side: int = 40, **options: object) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    Image.fromarray(noise).save(stream, form, **options)
    return stream.getvalue()


PNG = png(GREY[0][0])
for title, damaged in {
    "empty.png": b"",
    "text.png": b"this is no picture\n",
    "page.jpg": b"<!doctype html><html><body>Sign in</body></html>",
    "cut.png": encoded("PNG")[:-400],
    "header.png": PNG[:20],
    "cut.jpg": encoded("JPEG")[:-500],
    "header.jpg": encoded("JPEG")[:100],
    "cut.webp": encoded("WEBP")[:-300],
    "cut.bmp": encoded("BMP")[:-300],
    "cut.gif": encoded("GIF")[:60],
    "cut.tif": encoded("TIFF")[:-300],
    "bits.png": PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:],
    "huge.png": PNG[:16] + (60_000).to_bytes(4, "big") * 2 + PNG[24:],
    "nothing.png": PNG[:16] + bytes(8) + PNG[24:],
    "deep.tif": (lambda stream: (Image.new("F", (8, 8)).save(stream, "TIFF"), stream.getvalue())[1])(io.BytesIO()),
}.items():
    CASES[title] = pictures(title, damaged)[::-1]


@case("has no folders with pictures")
def pictures_in_no_class(folder: Path) -> Path:
    (folder / "train" / "deep").mkdir(parents=True)
    (folder / "test" / "ant").mkdir(parents=True)
    (folder / "train" / "a.png").write_bytes(PNG)
    return folder


@case("none named 'train'")
def only_a_test(folder: Path) -> Path:
    sources.write_folder(folder / "test", GREY)
    return folder


@case("a store holds at most 256")
def too_many_classes(folder: Path) -> Path:
    for number in range(257):
        (folder / "many" / str(number)).mkdir(parents=True)
        (folder / "many" / str(number) / "a.png").write_bytes(PNG)
    return folder / "many"


def tar_with(name: str, content: bytes = PNG) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        with tarfile.open(folder / "a.tar", "w") as tar:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        return folder / "a.tar"

    return write


CASES["tar_up"] = tar_with("ant/../../up.png"), r"leads out of it: 'ant/\.\./\.\./up\.png'"
CASES["tar_absolute"] = tar_with("/tmp/up.png"), "leads out of it: '/tmp/up.png'"
CASES["tar_of_text"] = tar_with("notes.txt", b"hello"), "holds nothing that can be read"
CASES["tar_of_tar"] = tar_with("inner.tar", bytes(10_240)), "holds nothing that can be read"


@case("is damaged|can't be unpacked")
def tar_cut(folder: Path) -> Path:
    sources.write_folder(folder / "pictures", GREY)
    sources.write_tar(folder / "whole.tar.gz", folder / "pictures", "w:gz")
    content = (folder / "whole.tar.gz").read_bytes()
    (folder / "cut.tar.gz").write_bytes(content[: len(content) * 2 // 3])
    return folder / "cut.tar.gz"


@case("holds no files")
def tar_of_links(folder: Path) -> Path:
    with tarfile.open(folder / "links.tar", "w") as tar:
        entry = tarfile.TarInfo("ant/a.png")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    return folder / "links.tar"


@case("leads out of it")
def zip_up(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "up.zip", "w") as archive:
        archive.writestr("../up.png", PNG)
    return folder / "up.zip"


@case("holds more than 100,000 bytes, unpacked")
def zip_bomb(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ant/a.bmp", bytes(200_000))
    return folder / "bomb.zip"


@case("is damaged")
def zip_cut(folder: Path) -> Path:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("ant/a.png", PNG)
    (folder / "cut.zip").write_bytes(content.getvalue()[:-30])
    return folder / "cut.zip"


def npz(message: str, **arrays: object) -> Case:
    def write(folder: Path) -> Path:
        np.savez(folder / "a.npz", **arrays)  # type: ignore[arg-type]  # any array is what is tried here
        return folder / "a.npz"

    return write, rf"a\.npz.*{message}"


IMAGES, LABELS = GREY
CASES |= {
    "npz_names": npz("has the arrays one, two", one=IMAGES, two=LABELS),
    "npz_objects": npz("is not an .npz file", images=np.array([IMAGES, None], object), labels=LABELS),
    "npz_scale": npz(r"reach from 0 to 510", images=IMAGES * 2.0 // 510 * 510, labels=LABELS),
    "npz_negative": npz("must lie in", images=IMAGES.astype(np.int16) - 128, labels=LABELS),
    "npz_nan": npz("no numbers", images=np.where(IMAGES > 9, np.nan, 0.5), labels=LABELS),
    "npz_flat": npz(r"must be \(N, h, w\)", images=IMAGES.reshape(12, -1), labels=LABELS),
    "npz_channels": npz("1 or 3 channels", images=np.ones((12, 8, 8, 4), np.uint8), labels=LABELS),
    "npz_undecided": npz("can't be decided", images=np.ones((12, 3, 8, 3), np.uint8), labels=LABELS),
    "npz_counts": npz(r"labels must be \(12,\)", images=IMAGES, labels=LABELS[:-1]),
    "npz_label_floats": npz("labels must be numbers or names", images=IMAGES, labels=LABELS + 0.5),
    "npz_several_labels": npz("several classes or of none", images=IMAGES, labels=np.ones((12, 3), np.uint8)),
    "npz_shapes": npz("test images of", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:, :5], y_test=LABELS),
}


@case(r"a\.npz is not an \.npz file")
def npz_cut(folder: Path) -> Path:
    np.savez(folder / "a.npz", images=IMAGES, labels=LABELS)
    (folder / "a.npz").write_bytes((folder / "a.npz").read_bytes()[:-100])
    return folder / "a.npz"


def csv(message: str, *lines: str) -> Case:
    def write(folder: Path) -> Path:
        (folder / "a.csv").write_text("\n".join(lines) + "\n")
        return folder / "a.csv"

    return write, rf"a\.csv.*{message}"


CASES |= {
    "csv_word": csv("line 2: 'x' is no number", "0,1,2,3,4", "1,1,x,3,4"),
    "csv_columns": csv("line 3: 4 columns, expected 5", "0,1,2,3,4", "1,1,2,3,4", "1,2,3,4"),
    "csv_square": csv("make no square", "0,1,2,3,4,5", "1,1,2,3,4,5"),
    "csv_header_only": csv("has no examples", "label,a,b,c,d"),
    "csv_no_label": csv("line 2: there is no label", "0,1,2,3,4", ",1,2,3,4"),
    "csv_nul": csv("is no CSV: line contains NUL|line 2: 1 columns, expected 5", "0,1,2,3,4", '"\0'),
    "csv_scale": csv(r"must lie in \[0, 255\]", "0,1,2,3,256", "1,1,2,3,4"),
}


@case(r"a picture can't be read \(.*pipe\.png\)")
def a_pipe_that_nobody_writes_to(folder: Path) -> Path:
    sources.write_folder(folder / "pictures", GREY)
    os.mkfifo(folder / "pictures" / "ant" / "pipe.png")
    return folder / "pictures"


@case("is no text in UTF-8")
def csv_bytes(folder: Path) -> Path:
    (folder / "a.csv").write_bytes(b"0,1,2,3,4\n1,1,2,3,4\n" * 9000 + b"1,1,2,3,\xff\n")
    return folder / "a.csv"


@case(r"a\.csv\.gz can't be read")
def csv_gzip_cut(folder: Path) -> Path:
    content = gzip.compress(b"".join(b"%d,%d,%d,3,4\n" % (n % 3, n % 251, n % 13) for n in range(9000)))
    (folder / "a.csv.gz").write_bytes(content[:-2000])
    return folder / "a.csv.gz"


@case("are no whole records of 3,073")
def cifar_cut(folder: Path) -> Path:
    sources.write_cifar10(folder / "cifar", COLOUR, COLOUR)
    (folder / "cifar" / "data_batch_2.bin").write_bytes(bytes(5000))
    return folder / "cifar"


@case(r"test_batch\.bin is missing")
def cifar_without_test(folder: Path) -> Path:
    sources.write_cifar10(folder / "cifar", COLOUR, COLOUR)
    (folder / "cifar" / "test_batch.bin").unlink()
    return folder / "cifar"


@case("reach from 0 to 2, but there are 2 class names")
def cifar_labels(folder: Path) -> Path:
    sources.write_cifar10(folder / "cifar", COLOUR, COLOUR)
    (folder / "cifar" / "batches.meta.txt").write_text("ant\nbee\n")
    return folder / "cifar"


@case("12 images, but .* 11 labels")
def idx_counts(folder: Path) -> Path:
    sources.write_emnist(folder, "mine", GREY, GREY)
    (folder / "mine-train-labels-idx1-ubyte.gz").write_bytes(idx_bytes(LABELS[:-1]))
    return folder


@case("one file of images and one of labels")
def idx_without_labels(folder: Path) -> Path:
    sources.write_emnist(folder, "mine", GREY, GREY)
    (folder / "mine-test-labels-idx1-ubyte.gz").unlink()
    return folder


def parquet_file(folder: Path) -> Path:
    sources.write_parquet(folder / "a.parquet", GREY)
    return folder / "a.parquet"


@case(r"a\.parquet is damaged")
def parquet_cut(folder: Path) -> Path:
    path = parquet_file(folder)
    path.write_bytes(path.read_bytes()[:-200])
    return path


@case("no column of pictures")
def parquet_columns(folder: Path) -> Path:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"text": ["a"], "label": [0]}), folder / "a.parquet")
    return folder / "a.parquet"


@case(r"3 pictures can't be read \(.*row 0, .*row 1, .*row 2\)")
def parquet_pictures(folder: Path) -> Path:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"image": [b"x", None, b""], "label": [0, 1, 2]}), folder / "a.parquet")
    return folder / "a.parquet"


@case("the label must be a number or text, got None")
def parquet_labels(folder: Path) -> Path:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"image": [PNG, PNG], "label": [0, None]}), folder / "a.parquet")
    return folder / "a.parquet"


@case(r"has a header of 2,\d{3},\d{3} bytes, more than 1,048,576")
def tar_header(folder: Path) -> Path:
    with tarfile.open(folder / "a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo("a/b.png")
        entry.pax_headers = {"comment": "0" * 2_000_000}
        entry.size = len(PNG)
        tar.addfile(entry, io.BytesIO(PNG))
    return folder / "a.tar.gz"


@case(r"holds more than [\d,]+ bytes, unpacked")
def npz_bomb(folder: Path) -> Path:
    np.savez_compressed(folder / "a.npz", images=np.zeros((100, 200, 200), np.float64), labels=np.zeros(100, int))
    return folder / "a.npz"


@case(r"line 3: more than 16,777,216 characters")
def csv_line(folder: Path) -> Path:
    with gzip.open(folder / "a.csv.gz", "wt", compresslevel=1) as file:
        file.write("label,a,b,c,d\n0,1,2,3,4\n" + "0" * (1 << 25))
    return folder / "a.csv.gz"


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_source_is_refused_in_one_line_and_leaves_nothing(home: Home, tmp_path: Path, monkeypatch, name: str):
    monkeypatch.setattr("service.data.formats.archive.FREE_BYTES", 100_000)
    write, message = CASES[name]
    (tmp_path / "source").mkdir()
    source = write(tmp_path / "source")
    with pytest.raises(DataError, match=message) as refused:
        ingest(home, dataset="mine", source=source)
    text = str(refused.value)
    assert "\n" not in text
    assert " object at 0x" not in text
    assert "unpacked-" not in text
    assert [path.name for path in home.cache.iterdir()] == [".mine.lock"]
    assert not home.data.exists() or not list(home.data.iterdir())


def test_there_are_many_damaged_sources():
    assert len(CASES) >= 50
