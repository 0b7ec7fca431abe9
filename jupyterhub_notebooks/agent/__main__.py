"""``python -m jupyterhub_notebooks.agent``: signals first, then the session; one line for what is wrong."""

from __future__ import annotations

import os
import signal
import sys
import time

BEGAN = time.monotonic()


def main() -> int:
    """The exit status: 0 saved (or nothing to save), 75 not everything is saved, else why it did not start."""
    from ..errors import NotebooksError
    from .options import read
    from .run import Agent

    try:
        agent = Agent(read(sys.argv[1:], os.environ), dict(os.environ), BEGAN)
    except NotebooksError as error:
        print(error.sentence(), file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{error.filename}: {error.strerror}. The notebook needs this path", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: agent.ask_to_end("stopped", ""))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return agent.run()


if __name__ == "__main__":
    # Threads that wait for an answer must not hold up the end.
    status = main()
    sys.stdout.flush()
    os._exit(status)
