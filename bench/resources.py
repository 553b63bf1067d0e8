"""What runs of programs cost besides time. Takes JSON on standard input, {"runs": N, "commands": [{"command", "env"}, ...]},
runs them by turns, and prints for each, as JSON, its samples: seconds of processor time in user and system mode, and the peak
of resident memory in KiB."""

import json
import os
import subprocess
import sys


def once(command: list[str], env: dict[str, str]) -> "tuple[float, float, int]":
    child = subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command[0]} ended with {child.returncode}")
    return usage.ru_utime, usage.ru_stime, usage.ru_maxrss


asked = json.load(sys.stdin)
samples = [{"user": [], "system": [], "peakKiB": []} for _ in asked["commands"]]
for _ in range(asked["runs"]):
    for one, into in zip(asked["commands"], samples):
        for name, value in zip(into, once(one["command"], one["env"])):
            into[name].append(value)
print(json.dumps(samples))
