"""The modelled platform: the domain's rules on the simulated clock and in memory, its work as queueing stations."""
