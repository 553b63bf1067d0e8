"""What runs of a program cost besides time: `resources.py RUNS PROGRAM ARGUMENT ...` prints, as JSON, the least seconds of
processor time in user and system mode, and the median of the peak of resident memory in KiB."""

import json
import os
import resource
import statistics
import subprocess
import sys


def once(command: list[str]) -> "resource.struct_rusage":
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command[0]} ended with {child.returncode}")
    return usage


usages = [once(sys.argv[2:]) for _ in range(int(sys.argv[1]))]
least = min(usages, key=lambda usage: usage.ru_utime + usage.ru_stime)
peak = statistics.median(usage.ru_maxrss for usage in usages)
print(json.dumps({"user": least.ru_utime, "system": least.ru_stime, "peakKiB": peak}))
