#!/usr/bin/env python3
"""A distance between two network namespaces, for bench/distances.ts: `distance.py NAME RTT_MS` makes NAME-near (10.99.0.1)
and NAME-far (10.99.0.2), prints a line when packets pass between them, and keeps each on its way for half of the round trip
until it is ended. For kernels without netem: a TUN device in each namespace, and this program between the two."""

import collections
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
ENDS = (("near", "10.99.0.1", "10.99.0.2"), ("far", "10.99.0.2", "10.99.0.1"))


def main(name: str, one_way: float) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    try:
        near, far = (make_end(f"{name}-{end}", own, other) for end, own, other in ENDS)
        print("ready", flush=True)
        forward({near: far, far: near}, one_way)
    finally:
        for end, _, _ in ENDS:
            subprocess.run(["ip", "netns", "delete", f"{name}-{end}"], check=False, stderr=subprocess.DEVNULL)


def make_end(namespace: str, own: str, other: str) -> int:
    """The descriptor of a TUN device that lies in a new namespace."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", namespace[-15:].encode(), IFF_TUN | IFF_NO_PI))
    link = namespace[-15:]
    inside = ["ip", "-netns", namespace]
    for command in (
        ["ip", "netns", "add", namespace],
        ["ip", "link", "set", link, "netns", namespace],
        [*inside, "link", "set", "lo", "up"],
        [*inside, "address", "add", own, "peer", other, "dev", link],
        [*inside, "link", "set", link, "up"],
    ):
        subprocess.run(command, check=True)
    return device


def forward(ways: dict[int, int], one_way: float) -> None:
    """Moves packets. All wait equally long, so each queue is in the order of their times."""
    waiting: collections.deque[tuple[float, int, bytes]] = collections.deque()
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for device in select.select(list(ways), [], [], timeout)[0]:
            while (packet := read_packet(device)) is not None:
                waiting.append((time.monotonic() + one_way, ways[device], packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, device, packet = waiting.popleft()
            os.write(device, packet)


def read_packet(device: int) -> bytes | None:
    try:
        return os.read(device, 65536)
    except BlockingIOError:
        return None


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) / 2000)
