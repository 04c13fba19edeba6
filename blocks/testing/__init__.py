"""For people who test blocks: simulated events and streams."""
