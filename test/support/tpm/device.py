"""Stands in for a device file of a TPM: a terminal that takes a command in one write and gives its answer to one read.
Usage: device.py PORT MODE. Prints the path of the device; ends with its standard input. MODE: ok; hang: no answer; once: the
second command is never answered; half: an answer in two pieces."""
import os, pty, socket, struct, sys, threading, time, tty

port, mode = int(sys.argv[1]), sys.argv[2]
master, slave = pty.openpty()
tty.setraw(slave)
print(os.ttyname(slave), flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()


def message(read):
    data = b""
    while len(data) < 10 or len(data) < struct.unpack(">I", data[2:6])[0]:
        data += read(4096)
    return data


count = 0
while True:
    command = message(lambda n: os.read(master, n))
    count += 1
    if mode == "hang" or (mode == "once" and count > 1):
        time.sleep(3600)
    # A connection for each command: the terminal stays open between programs, as a device does.
    with socket.create_connection(("127.0.0.1", port)) as tpm:
        tpm.sendall(command)
        answer = message(tpm.recv)
    if mode == "half":
        os.write(master, answer[:7])
        time.sleep(0.05)
        answer = answer[7:]
    os.write(master, answer)
