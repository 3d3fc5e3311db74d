"""Whether a GPU can be used here, found out without harm where there is none."""


def missing() -> str:
    """Why no GPU can be used here, in a few words; empty if one can."""
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed (pip install 'atelier-train[cuda13]' or '[cuda12]')"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CUDA finds no device ({error})"
    return "" if count else "CUDA finds no device"
