"""Memory that is used again."""

from threading import Thread

import numpy as np

from ops.backends.cpu import memory

LARGE = (memory.LEAST_NUMBERS // 8, 8)


def address(array: np.ndarray) -> int:
    return array.ctypes.data


def test_arrays_that_are_gone_make_room_for_others():
    with memory.reused():
        first = memory.empty(LARGE)
        place = address(first)
        del first
        assert address(memory.empty(LARGE)) == place


def test_what_is_kept_is_there_the_next_time():
    kept = memory.Memory()
    with memory.reused(kept):
        place = address(memory.empty(LARGE))
    with memory.reused(kept):
        assert address(memory.empty(LARGE)) == place


def test_arrays_that_are_in_use_keep_their_memory():
    with memory.reused():
        first = memory.empty(LARGE)
        first[...] = 1
        view = first[5:].reshape(-1)[3:]
        del first
        second = memory.empty(LARGE)
        second[...] = 2
        assert (view == 1).all()


def test_much_larger_memory_is_kept_for_larger_arrays():
    with memory.reused():
        first = memory.empty((4 * LARGE[0], 8))
        place, size = address(first), first.nbytes
        del first
        assert not place <= address(memory.empty(LARGE)) < place + size


def test_arrays_outlive_the_block_and_other_threads_have_memory_of_their_own():
    found: list[np.ndarray] = []

    def other() -> None:
        with memory.reused():
            found.append(memory.empty(LARGE))
            found[0][...] = 3

    with memory.reused():
        mine = memory.empty(LARGE)
        mine[...] = 4
        del mine
        thread = Thread(target=other)
        thread.start()
        thread.join()
        mine = memory.empty(LARGE)
        mine[...] = 5
    assert (found[0] == 3).all()
    assert (mine == 5).all()


def test_arrays_begin_where_whole_vectors_may_be_loaded():
    with memory.reused():
        for shape in ((3,), LARGE):
            assert address(memory.empty(shape)) % (4 * memory.ALIGNMENT) == 0
