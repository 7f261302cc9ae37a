"""Helpers of the order path: risk scoring, recommendation, reviews (A3), each behind a breaker (S11).

Each is a small service that runs as a process of its own (`python -m o2o_platform.helpers NAME --port N`), with its own
routes and its own data; the platform knows it by its URL, and goes on without it. Modules: `wire` is what they say to
each other; `risk`, `recommendation`, `reviews` are the services, `service` what they share; `panel` is the platform's
side of them, `record` what is kept of its breakers, `feed` how the services learn, `routes` what of it can be seen.
"""
