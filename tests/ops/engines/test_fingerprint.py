"""What bits depend on, as a value."""

import subprocess
import sys
from pathlib import Path

import pytest

from ops.engines import Choice, fingerprint
from ops.engines.fingerprint import Fingerprint, digest_of_sources, fingerprint_of


def test_it_has_what_decides_the_bits_of_each_engine():
    array, simd = fingerprint_of(Choice("array", "cpu")), fingerprint_of(Choice("simd", "cpu"))
    assert "NumPy" in array.libraries
    assert len(array.kernels) == 64
    assert array.kernels != simd.kernels
    assert len(simd.kernels) == 64
    assert simd.libraries == ""
    assert array != simd


def test_another_process_of_the_same_machine_has_the_same():
    choice = Choice("simd", "cpu")
    code = (
        "from ops.engines import Choice; from ops.engines.fingerprint import fingerprint_of; "
        "print(repr(fingerprint_of(Choice('simd', 'cpu'))))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == repr(fingerprint_of(choice))


@pytest.mark.parametrize("change", ["content", "name", "compilers"])
def test_every_change_of_the_kernels_sources_changes_their_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
):
    monkeypatch.setattr(fingerprint, "version", lambda name: "1")
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "step.cu").write_text("one")
    (tmp_path / "notes.md").write_text("no source")
    before = digest_of_sources(tmp_path, "llvmlite")
    (tmp_path / "notes.md").write_text("still no source")
    assert digest_of_sources(tmp_path, "llvmlite") == before
    if change == "content":
        (tmp_path / "kernels" / "step.cu").write_text("two")
    elif change == "name":
        (tmp_path / "kernels" / "step.cu").rename(tmp_path / "kernels" / "steps.cu")
    else:
        monkeypatch.setattr(fingerprint, "version", lambda name: "2")
    assert digest_of_sources(tmp_path, "llvmlite") != before


def test_people_read_it_in_a_few_words():
    assert str(Fingerprint("simd", "x86_64", 16, "0123456789")) == "simd on x86_64 with 16 lanes, kernels 01234567"
    assert str(Fingerprint("array", "x86_64", libraries="NumPy 2")) == "array on x86_64, NumPy 2"
