# What systemd's manager does with notifications, and prints them. Usage: python3 notify-manager.py SOCKET
import array
import os
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print("listening", flush=True)
while True:
    message, ancillary, _flags, _address = listener.recvmsg(4096, socket.CMSG_SPACE(16 * array.array("i").itemsize))
    for _level, _type, data in ancillary:
        descriptors = array.array("i")
        descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        for descriptor in descriptors:
            os.close(descriptor)  # the sender of BARRIER=1 waits for this
    print(message.decode(), flush=True)
