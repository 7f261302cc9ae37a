"""A lean load client for the routes that the peak lives on: what it costs must not be what it measures.

Locust plays the city's traces; this plays one route as fast as the platform answers (closed loop, for capacity) or at a
rate that it is given (open loop, for latency and for campaigns), from a process of its own: `python -m
o2o_loadtest.peak SPEC`. Some 30 microseconds of CPU a request.
"""
