"""services/idle_culler: stops what is idle or over its session limit, and nothing that it cannot see."""
