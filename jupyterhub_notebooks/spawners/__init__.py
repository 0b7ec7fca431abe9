"""How a notebook is started, watched and ended: one algorithm (base), and what each backend adds to it (local)."""
