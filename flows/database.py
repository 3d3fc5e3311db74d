"""A new database for an embedded server, from a template: Prefect's migrations take as long as all else of its start.

    python -m flows.database

writes the template, from what the migrations of the Prefect that is installed make. `make` does so once it has
installed Prefect. Without a template, or with one of a later Prefect, Prefect migrates a new database itself.
"""

import asyncio
import os
import re
import sqlite3
import tempfile
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

TEMPLATE = Path(__file__).with_name("prefect.sql")
"""What Prefect's database holds after all migrations, when nothing has been kept in it yet."""


def begin_database(path: Path) -> None:
    """Make a database from the template where there is none yet.

    A later Prefect takes it on from the template's revision when it starts. An earlier one, which has no such
    revision, is left to make its own; so is any where there is no template, or this can't be done here.
    """
    if path.exists() or not TEMPLATE.is_file():
        return
    script = TEMPLATE.read_text(encoding="utf-8")
    if not _is_known(revision(script)):
        return
    with suppress(OSError, sqlite3.Error), tempfile.TemporaryDirectory(prefix=".prefect-", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        _execute(draft, script)
        path.hardlink_to(draft)  # unlike a rename, this leaves the one that another process made meanwhile


def revision(script: str) -> str:
    """The revision of Prefect's migrations that a template stands at."""
    found = re.search(r"INSERT INTO \"alembic_version\" VALUES\('(\w+)'\)", script)
    if found is None:
        raise AssertionError("the template of Prefect's database has no revision")
    return found[1]


def migrated() -> str:
    """What the migrations of the installed Prefect make of no database at all, as the template has it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prefect.db"
        os.environ.update(PREFECT_HOME=folder, PREFECT_API_DATABASE_CONNECTION_URL=f"sqlite+aiosqlite:///{path}")
        from prefect.server.database import provide_database_interface

        asyncio.run(provide_database_interface().create_db())
        with closing(sqlite3.connect(path)) as connection:
            return re.sub(r"[ \t]+\n", "\n", "\n".join(connection.iterdump()) + "\n")


def _execute(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def _is_known(wanted: str) -> bool:
    """Whether the Prefect that is installed has a migration to this revision."""
    package = find_spec("prefect")
    if package is None or package.origin is None:
        return False
    versions = Path(package.origin).parent / "server" / "database" / "_migrations" / "versions" / "sqlite"
    return any(versions.glob(f"*_{wanted}_*.py"))


if __name__ == "__main__":
    TEMPLATE.write_text(migrated(), encoding="utf-8")
