"""``python -m jupyterhub_notebooks.cli``: the same as the console script."""

from .main import main

main()
