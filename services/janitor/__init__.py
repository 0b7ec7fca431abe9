"""Makes ledger, Hub, processes and store agree again after something died. See README.md."""
