"""Has an interface send frames as they go over a wire: python -m tests.hosts.offloads INTERFACE

Between network namespaces the kernel leaves checksums out and sends up to 64 kB as one frame.
"""

import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
TURNED_OFF = (0x17, 0x1F, 0x24, 0x2C)
"""Of linux/ethtool.h: checksums (ETHTOOL_STXCSUM), and segments put together (ETHTOOL_STSO, _SGSO, _SGRO)."""


def main(interface: str) -> None:
    """Turn them off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        for command in TURNED_OFF:
            setting = array.array("I", [command, 0])
            address, _ = setting.buffer_info()
            fcntl.ioctl(device, SIOCETHTOOL, struct.pack("16sP", interface.encode(), address))


if __name__ == "__main__":
    main(sys.argv[1])
