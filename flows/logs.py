"""What workers log, in the log of the flow run that they work for."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import get_run_logger

FORWARDED = ("service", "distributed.worker")
"""The loggers that `service.cluster.connection` has workers forward."""


@contextmanager
def worker_logs() -> Iterator[None]:
    """Bring the records that workers forward to this process into the flow run's log, while the block lasts.

    They arrive in threads that know of no flow run (the Dask client's, or those of workers that are threads): the
    handler does.
    """
    run_log = get_run_logger()
    if not run_log.isEnabledFor(logging.INFO):
        yield
        return
    handler = _Handler(run_log)
    loggers = [logging.getLogger(name) for name in FORWARDED]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


class _Handler(logging.Handler):
    def __init__(self, run_log: "logging.Logger | logging.LoggerAdapter[logging.Logger]") -> None:
        super().__init__()
        self._run_log = run_log

    def emit(self, record: logging.LogRecord) -> None:
        worker = getattr(record, "worker", "")
        self._run_log.log(record.levelno, "%s", f"{worker}: {record.getMessage()}" if worker else record.getMessage())
