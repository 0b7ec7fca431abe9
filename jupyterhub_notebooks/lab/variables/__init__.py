"""The kernels' variables: kept before a stop, each by itself, within a bound; brought back into a new kernel.

``in_python.py`` and ``in_r.py`` are what runs in the kernels; ``keeping.py`` asks them, ``offers.py`` is what lies in
the workspace, ``handler.py`` the page's address.
"""
