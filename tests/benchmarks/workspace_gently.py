"""One first save as an agent's periodic ones run, for workspace_scale.py: ``TREE STATE URL``."""

from __future__ import annotations

import sys
import threading

from jupyterhub_notebooks.agent.saving import yield_to_others

from .workspace_ours import Ours


def main() -> None:
    tree, state, url = sys.argv[1:]

    def run() -> None:
        yield_to_others()
        ours = Ours({"url": url, "options": {"addressing": "path"}, "key": None, "state": state})
        ours.save(tree)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
