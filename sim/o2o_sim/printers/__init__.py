"""Printers on the simulated clock: the mechanism of o2o_devices, its faults and their repair."""
