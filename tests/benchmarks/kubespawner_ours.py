"""Puts our class in KubeSpawner's place for its own tests; loaded by kubespawner_suite.py as pytest's plugin."""

from __future__ import annotations

import kubespawner

from jupyterhub_notebooks.spawners.kube import KubeNotebookSpawner

kubespawner.KubeSpawner = KubeNotebookSpawner
