"""What may be started: flavors and profiles, read whole from one checked file, and the choice among them."""
