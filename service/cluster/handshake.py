"""Whether anybody answers at a scheduler's address."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from distributed import Security
from distributed.comm import connect


def is_answering(address: str, seconds: float) -> bool:
    """Whether a scheduler greets within a time limit. Dask's client would wait for a frozen one's greeting for ever."""

    async def greet() -> None:
        arguments = Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, timeout=seconds, **arguments), seconds)
        await comm.close()

    try:
        with ThreadPoolExecutor(1) as thread:  # there may be an event loop in this one
            thread.submit(asyncio.run, greet()).result()
    except OSError:
        return False
    return True
