"""Actors of the city: kitchens, riders, BDs and users, written once against the port and run in both worlds."""
