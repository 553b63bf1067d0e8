"""Runs AWS CLI commands one after another in one process, since it takes seconds to start.

Each line of stdin is a JSON list of arguments; each line of stdout an object with status, stdout and stderr.
"""

import contextlib
import io
import json
import sys

from awscli.clidriver import create_clidriver

driver = create_clidriver()
answers = sys.stdout
for line in sys.stdin:
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = driver.main(json.loads(line))
        except SystemExit as end:
            status = end.code
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    answers.write(json.dumps({"status": status, "stdout": texts[0], "stderr": texts[1]}) + "\n")
    answers.flush()
