"""Every format comes back from the store as it was written, with its classes."""

import csv
import os
from collections.abc import Callable
from errno import EACCES
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.data import ingest, read
from service.data.formats import Reading, find, folder
from service.data.formats import csv as csv_format
from service.data.options import IngestOptions
from service.data.store import read_about
from service.errors import Conflict, DataError, InvalidInput
from service.home import Home
from tests.data import idx_bytes
from tests.service.data.formats import sources
from tests.service.data.formats.sources import NAMES, examples

TRAIN, TEST = examples(41), examples(12, seed=1)
COLOUR_TRAIN, COLOUR_TEST = examples(41, colour=True, side=32), examples(12, colour=True, side=32, seed=1)


def by_class(arrays):
    """Examples in the order of a folder: by class."""
    order = np.argsort(arrays[1], kind="stable")
    return arrays[0][order], arrays[1][order]


def stored(home: Home, source: Path, **options):
    """The groups and the store that a source becomes, and what was told."""
    told: list[str] = []
    info = ingest(home, dataset="mine", source=source, options=IngestOptions(**options), progress=told.append)
    return read(info.path, "train", info.digest), read(info.path, "test", info.digest), info, told


def assert_same(found, expected) -> None:
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def as_folder(path: Path, train, test) -> Path:
    sources.write_folder(path / "train", by_class(train))
    sources.write_folder(path / "test", by_class(test))
    return path


def as_tar(path: Path, train, test, ending: str = "gz") -> Path:
    sources.write_tar(path.with_suffix(".tar." + ending), as_folder(path / "pictures", train, test), f"w:{ending}")
    return path.with_suffix(".tar." + ending)


def as_zip(path: Path, train, test) -> Path:
    sources.write_zip(path.with_suffix(".zip"), as_folder(path / "deep" / "pictures", train, test).parent)
    return path.with_suffix(".zip")


def as_npz(path: Path, train, test) -> Path:
    last = [np.moveaxis(images, 1, -1) if images.ndim == 4 else images for images, _ in (train, test)]
    np.savez_compressed(
        path.with_suffix(".npz"), x_train=last[0], y_train=train[1][:, None], x_test=last[1], y_test=test[1]
    )
    return path.with_suffix(".npz")


def as_csv(path: Path, train, test) -> Path:
    path.mkdir()
    sources.write_csv(path / "mine_train.csv", train, header=True)
    sources.write_csv(path / "mine_test.csv", test, header=True)
    return path


def as_parquet(path: Path, train, test) -> Path:
    (path / "data").mkdir(parents=True)
    half = len(train[1]) // 2
    sources.write_parquet(path / "data" / "train-00000-of-00002.parquet", (train[0][:half], train[1][:half]))
    sources.write_parquet(path / "data" / "train-00001-of-00002.parquet", (train[0][half:], train[1][half:]))
    sources.write_parquet(path / "data" / "test-00000-of-00001.parquet", test)
    return path


def as_cifar(path: Path, train, test) -> Path:
    sources.write_cifar10(path, train, test)
    return path


def as_tar_of_cifar(path: Path, train, test) -> Path:
    sources.write_cifar10(path / "cifar-10-batches-bin", train, test)
    sources.write_tar(path.with_suffix(".tgz"), path, "w:gz")
    return path.with_suffix(".tgz")


GREY: list[Callable[..., Path]] = [as_folder, as_tar, as_zip, as_npz, as_csv, as_parquet]
COLOUR = [as_folder, as_tar, as_npz, as_parquet, as_cifar, as_tar_of_cifar]
SORTED = (as_folder, as_tar, as_zip)
NUMBERED = (as_npz, as_csv)


@pytest.mark.parametrize(("write", "colour"), [(w, False) for w in GREY] + [(w, True) for w in COLOUR])
def test_a_format_comes_back_from_the_store(home: Home, tmp_path: Path, write, colour: bool):
    train, test = (COLOUR_TRAIN, COLOUR_TEST) if colour else (TRAIN, TEST)
    found_train, found_test, info, told = stored(home, write(tmp_path / "source", train, test))
    assert_same(found_train, by_class(train) if write in SORTED else train)
    assert_same(found_test, by_class(test) if write in SORTED else test)
    assert info.class_names == (("0", "1", "2") if write in NUMBERED else NAMES)
    assert info.input_shape == ((3, 32, 32) if colour else (1, 8, 8))
    title = read_about(info.path).format.partition(",")[0]  # "…, in an archive"
    assert title
    assert any(title in line for line in told)
    assert not list(home.cache.glob("unpacked-*"))


def test_a_tar_and_its_folder_are_the_same_data(home: Home, tmp_path: Path):
    first = ingest(home, dataset="mine", source=as_folder(tmp_path / "folder", TRAIN, TEST))
    for ending in ("gz", "xz", "bz2"):
        tar = as_tar(tmp_path / f"tar-{ending}", TRAIN, TEST, ending)
        assert ingest(home, dataset="mine", source=tar) == first


def test_a_source_without_a_test_split_gets_one_with_the_same_share_of_each_class(home: Home, tmp_path: Path):
    images, _ = examples(100)
    labels = np.repeat(np.arange(3, dtype=np.uint8), (60, 30, 10))
    sources.write_folder(tmp_path / "source", (images, labels))
    (_, train), (_, test), info, told = stored(home, tmp_path / "source", test_share=0.2, split_seed=7)
    assert np.bincount(test).tolist() == [12, 6, 2]
    assert np.bincount(train).tolist() == [48, 24, 8]
    assert read_about(info.path).split == {"share": 0.2, "seed": 7}
    assert any("no test split" in line for line in told)
    with pytest.raises(Conflict):  # another seed draws others
        stored(home, tmp_path / "source", test_share=0.2, split_seed=8)


def test_emnist_is_read_upright_with_labels_from_one_and_the_names_of_its_mapping(home: Home, tmp_path: Path):
    sources.write_emnist(tmp_path / "emnist", "emnist-letters", TRAIN, TEST)
    (tmp_path / "emnist" / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n3 67 99\n")
    train, test, info, _ = stored(home, tmp_path / "emnist", transpose=True)
    assert_same(train, TRAIN)
    assert_same(test, TEST)
    assert info.class_names == ("A", "B", "C")


def test_of_several_idx_data_sets_in_a_folder_one_must_be_named(home: Home, tmp_path: Path):
    for name, (train, test) in {"emnist-letters": (TRAIN, TEST), "emnist-digits": (TEST, TRAIN)}.items():
        sources.write_emnist(tmp_path / "emnist", name, train, test)
    with pytest.raises(DataError, match=r"several data sets \(emnist-digits, emnist-letters\)"):
        stored(home, tmp_path / "emnist")
    one = tmp_path / "emnist" / "emnist-digits-train-labels-idx1-ubyte.gz"
    assert stored(home, one, transpose=True)[2].class_names == ("1", "2", "3")


def test_labels_with_gaps_are_named_and_no_class_is_invented(home: Home, tmp_path: Path):
    values = np.array([7, 100, 3])
    np.savez(tmp_path / "gaps.npz", images=TRAIN[0], labels=values[TRAIN[1]])
    _, _, info, _ = stored(home, tmp_path / "gaps.npz")
    assert info.class_names == ("3", "7", "100")


def test_one_hot_labels_floats_and_names_are_understood(home: Home, tmp_path: Path):
    np.savez(tmp_path / "hot.npz", x=(TRAIN[0] / 255).astype(np.float32), y=np.eye(3)[TRAIN[1]])
    train, test, _, told = stored(home, tmp_path / "hot.npz")
    assert sorted(map(bytes, np.concatenate((train[0], test[0])))) == sorted(map(bytes, TRAIN[0]))
    assert any("multiplied by 255" in line for line in told)
    np.savez(tmp_path / "names.npz", images=TRAIN[0], labels=np.array(NAMES)[TRAIN[1]])
    assert ingest(home, dataset="named", source=tmp_path / "names.npz").class_names == NAMES


@pytest.mark.parametrize(("delimiter", "header"), [(",", False), (";", True), ("\t", True), (" ", False)])
def test_csv_of_any_kind_is_understood(home: Home, tmp_path: Path, delimiter: str, header: bool):
    sources.write_csv(tmp_path / "one.csv", TRAIN, header=header, delimiter=delimiter)
    train, test, _, _ = stored(home, tmp_path / "one.csv")
    assert sorted(map(bytes, np.concatenate((train[0], test[0])))) == sorted(map(bytes, TRAIN[0]))


def test_csv_takes_names_as_labels_in_any_column(home: Home, tmp_path: Path):
    rows = [",".join([*map(str, image.ravel()), NAMES[label]]) for image, label in zip(TRAIN[0], TRAIN[1], strict=True)]
    header = ",".join([*(f"p{number}" for number in range(64)), "class"])
    (tmp_path / "last.csv").write_text("\n".join([header, *rows]) + "\n")
    assert stored(home, tmp_path / "last.csv")[2].class_names == NAMES


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_csv_understands_quotes_as_other_programs_write_them(home: Home, tmp_path: Path, quoting: int):
    names = ("T-shirt, top", '3" nail', "bag")
    with (tmp_path / "quoted.csv").open("w", newline="") as file:
        rows = csv.writer(file, quoting=quoting)
        rows.writerow(["label", *(f"p{number}" for number in range(64))])
        rows.writerows([names[label], *image.ravel().tolist()] for image, label in zip(*TRAIN, strict=True))
    train, test, info, _ = stored(home, tmp_path / "quoted.csv")
    assert sorted(info.class_names) == sorted(names)
    assert sorted(map(bytes, np.concatenate((train[0], test[0])))) == sorted(map(bytes, TRAIN[0]))


def test_pictures_of_several_sizes_need_one(home: Home, tmp_path: Path):
    sources.write_folder(tmp_path / "source", TRAIN)
    Image.new("L", (30, 20), 90).save(tmp_path / "source" / "bee" / "wide.png")
    with pytest.raises(DataError, match=r"several sizes: .* has 8x8 pixels, .*wide\.png 30x20; choose one with --size"):
        stored(home, tmp_path / "source")
    for fit in ("crop", "pad", "stretch"):
        info = ingest(
            home, dataset=fit, source=tmp_path / "source", options=IngestOptions(size=16, fit=fit, test_share=0.3)
        )
        assert info.image_shape == (16, 16)
        assert read_about(info.path).preparation["fit"] == fit


def test_one_picture_in_colour_makes_all_of_them_so(home: Home, tmp_path: Path):
    sources.write_folder(tmp_path / "source", TRAIN)
    images = examples(300)[0]
    sources.write_folder(tmp_path / "source", (images, np.zeros(300, np.uint8)), ("ant-more",))
    Image.new("RGB", (8, 8), (200, 10, 10)).save(tmp_path / "source" / "cat" / "red.png")
    info = stored(home, tmp_path / "source")[2]
    assert info.channels == 3
    grey = ingest(home, dataset="grey", source=tmp_path / "source", options=IngestOptions(mode="grey"))
    assert grey.channels == 1


def test_bad_pictures_are_named_and_can_be_left_out(home: Home, tmp_path: Path):
    source = as_folder(tmp_path / "source", TRAIN, TEST)
    (source / "train" / "ant" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n of no use")
    (source / "train" / "bee" / "empty.jpg").write_bytes(b"")
    (source / "train" / "bee" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"2 pictures can't be read \(.*broken\.png, .*empty\.jpg\); --skip-bad 2"):
        stored(home, source, skip_bad=1)
    train, _, info, told = stored(home, source, skip_bad=2)
    assert len(train[1]) == len(TRAIN[1])
    assert sum("can't be read" in line for line in told) == 2
    assert read_about(info.path).skipped == 2


def test_pictures_in_train_and_test_are_counted(home: Home, tmp_path: Path):
    source = as_folder(tmp_path / "source", TRAIN, TEST)
    sources.picture(TRAIN[0][5]).save(source / "test" / "bee" / "again.png")
    _, _, info, told = stored(home, source)
    assert read_about(info.path).duplicates == 1
    assert "1 of 13 test images are training images too" in told


def test_a_card_and_a_licence_are_kept(home: Home, tmp_path: Path):
    source = as_folder(tmp_path / "source", TRAIN, TEST)
    (source / "README.md").write_text("# Insects\n")
    (source / "LICENSE").write_text("CC0\n")
    about = read_about(stored(home, source)[2].path)
    assert (about.card, about.licence) == ("# Insects", "CC0")


def test_validation_is_the_test_where_there_is_no_other(home: Home, tmp_path: Path):
    as_folder(tmp_path / "source", TRAIN, TEST)
    (tmp_path / "source" / "test").rename(tmp_path / "source" / "val")
    assert_same(stored(home, tmp_path / "source")[1], by_class(TEST))


def test_a_large_array_lies_on_disk_and_is_the_same(home: Home, tmp_path: Path, monkeypatch):
    source = as_folder(tmp_path / "source", COLOUR_TRAIN, COLOUR_TEST)
    in_memory = ingest(home, dataset="mine", source=source)
    monkeypatch.setattr("service.data.buffers.IN_MEMORY", 0)
    monkeypatch.setattr("service.data.buffers.BLOCK", 10_000)
    monkeypatch.setattr("service.data.whole_arrays.WRITE_BYTES", 10_000)
    on_disk = ingest(home, dataset="other", source=source)
    assert on_disk.digest == in_memory.digest
    assert ingest(home, dataset="split", source=source / "train").train == 38


def test_options_are_for_sources_of_ones_own(home: Home):
    with pytest.raises(InvalidInput, match="as it was published"):
        ingest(home, options=IngestOptions(size=32))


def test_what_no_format_recognizes_is_refused_with_their_names(home: Home, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r"none of the formats that can be read: archive, cifar, csv, folder, idx"):
        stored(home, tmp_path / "notes.txt")
    assert find(tmp_path) is None
    assert Reading().options == IngestOptions()


@pytest.mark.parametrize("start", [0, 1])
def test_a_header_of_numbers_is_a_header(home: Home, tmp_path: Path, start: int):
    """As pandas writes a table whose columns nobody named."""
    table = "\n".join(
        ",".join(map(str, row))
        for row in (["label", *range(start, start + 64)], *([i % 3, *TRAIN[0][i].ravel()] for i in range(30)))
    )
    (tmp_path / "numbered.csv").write_text(table)
    found, tested, info, _ = stored(home, tmp_path / "numbered.csv", test_share=0.1)
    assert len(found[1]) + len(tested[1]) == 30
    assert info.class_names == ("0", "1", "2")


def test_a_survey_looks_at_no_more_pictures_than_it_says(tmp_path: Path):
    for count in (1, 199, 200, 201, 399, 400, 1001):
        assert len(list(folder._pictures([(tmp_path / str(n), "a") for n in range(count)]).sample())) <= 200


def test_options_that_a_format_has_no_use_for_are_refused(home: Home, tmp_path: Path):
    with pytest.raises(DataError, match="--transpose is for images that are stored as numbers"):
        stored(home, as_folder(tmp_path / "folder", TRAIN, TEST), transpose=True)
    with pytest.raises(DataError, match="--skip-bad is for pictures in files of their own"):
        stored(home, as_npz(tmp_path / "arrays", TRAIN, TEST), skip_bad=3)


def test_two_folders_for_one_split_are_refused(home: Home, tmp_path: Path):
    source = as_folder(tmp_path / "twice", TRAIN, TEST)
    sources.write_folder(source / "training", by_class(TRAIN))
    with pytest.raises(DataError, match="has several folders for one split: train, training"):
        stored(home, source)


def test_a_folder_that_can_t_be_read_is_not_left_out(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = as_folder(tmp_path / "closed", TRAIN, TEST)
    scandir = os.scandir

    def closed(path):
        if not isinstance(path, int) and Path(path).name == "bee":  # whoever runs tests as root may read everything
            raise PermissionError(EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(DataError, match="bee can't be read: Permission denied"):
        stored(home, source)


def test_an_idx_file_is_found_among_any_number_of_others(home: Home, tmp_path: Path):
    for number in range(300):
        (tmp_path / f"a-{number}.txt").write_text("something else")
    images, labels = TRAIN
    (tmp_path / "mine-images-idx3-ubyte").write_bytes(idx_bytes(images))
    (tmp_path / "mine-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    (tmp_path / "mine-mapping.txt").write_text("0 9999999\n")
    found, tested, _, _ = stored(home, tmp_path / "mine-images-idx3-ubyte")
    assert len(found[1]) + len(tested[1]) == len(labels)


def test_arrays_that_nobody_needs_are_not_unpacked(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("service.data.formats.archive.FREE_BYTES", 100_000)
    np.savez_compressed(tmp_path / "more.npz", images=TRAIN[0], labels=TRAIN[1], zeros=np.zeros(10**7))
    found, tested, _, _ = stored(home, tmp_path / "more.npz")
    assert len(found[1]) + len(tested[1]) == len(TRAIN[1])


def test_the_same_images_with_other_names_or_another_fit_are_told_apart(home: Home, tmp_path: Path):
    renamed = tmp_path / "renamed"
    stored(home, as_folder(tmp_path / "first", TRAIN, TEST))
    for split, arrays in (("train", TRAIN), ("test", TEST)):
        sources.write_folder(renamed / split, by_class(arrays), ("ant", "bee", "dog"))
    with pytest.raises(Conflict, match="holds the same images with another class names: ant, bee, cat"):
        stored(home, renamed)
    with pytest.raises(Conflict, match=r"holds the same images with another preparation: .*fit pad"):
        stored(home, tmp_path / "first", fit="crop")


def test_a_line_without_an_end_is_refused_before_more_of_it_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(csv_format, "MAX_LINE", 64)

    class Endless:
        reads = 0

        def readline(self, most: int) -> str:
            self.reads += 1
            assert self.reads < 10
            return "0,1,2,3,4\n" if self.reads == 1 else "0" * most

    with pytest.raises(DataError, match="line 2: more than 64 characters"):
        csv_format._rows(Path("endless.csv"), Endless())  # type: ignore[arg-type]  # what is used of a file
