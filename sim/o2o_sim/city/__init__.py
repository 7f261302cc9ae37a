"""The city: road graph, zones, travel times, and who lives and works on it."""
