"""What a command imports: nothing that takes long and that it doesn't use."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from service.cli.lazy_group import LazyGroup
from service.cli.main import atelier
from service.home import Home
from tests.jobs import small_job
from tests.service.models import draft, publish

SLOW = {
    *("dask", "distributed", "zarr", "llvmlite", "prefect", "onnx", "matplotlib", "PIL", "rich", "httpx"),
    *("fastapi", "starlette", "uvicorn", "obstore", "cupy", "asyncio"),
}
NEEDLESS = {
    ("--help",): SLOW | {"numpy", "ops", "pydantic", "safetensors", "service.config"},
    ("--version",): SLOW | {"numpy", "ops", "pydantic", "safetensors", "service.config"},
    ("runs", "--help"): SLOW | {"numpy", "ops", "pydantic", "safetensors", "service.config"},
    ("runs", "list"): SLOW | {"numpy", "ops", "safetensors"},
    ("runs", "show", "x"): SLOW | {"numpy", "ops", "safetensors"},
    ("models", "list"): SLOW | {"pydantic", "service.config"},
    ("models", "show", "flat"): SLOW | {"pydantic", "service.config"},
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("start"))
    publish(home.models, "flat", draft("mlp"))
    job = small_job(home, home.root / "idx")
    from service.runs import RunFolder

    RunFolder.create(home.runs, "x", job.config, None)
    return home


@pytest.mark.parametrize("words", NEEDLESS, ids=" ".join)
def test_a_command_imports_nothing_that_it_does_not_use(words: tuple[str, ...], filled: Home):
    program = (
        "import sys; from flows.command import main\n"
        "try: main()\n"
        "except SystemExit as left: print('ENDED', left.code, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={"ATELIER_HOME": str(filled.root), "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    _, status, *modules = done.stdout.splitlines()[-1].split()
    assert status in ("0", "None"), done.stderr
    assert not NEEDLESS[words] & set(modules)


def _groups(group: LazyGroup) -> list[LazyGroup]:
    context = click.Context(group)
    below = [group.get_command(context, name) for name in group.lazy]
    return [group, *(inner for found in below if isinstance(found, LazyGroup) for inner in _groups(found))]


def test_the_help_of_a_group_says_of_each_command_what_the_command_says_of_itself():
    for group in _groups(atelier):
        context = click.Context(group)
        for name, lazy in group.lazy.items():
            found = group.get_command(context, name)
            assert found is not None
            assert found.name == name
            assert found.get_short_help_str(limit=300) == lazy.short_help
