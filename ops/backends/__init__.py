"""Back ends: operators made for a kind of device, for networks that no engine has kernels of its own for."""
