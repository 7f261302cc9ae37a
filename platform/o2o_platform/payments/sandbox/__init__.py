"""A payment provider in a sandbox: charges nobody, behaves like one that does (G4).

Its own ASGI app, for a process and a port of its own; the platform knows it by URL and shared secret only. `books` is
what it charged and gave back, `plan` how it misbehaves, `telling` its callbacks, `app` its HTTP.
"""

from __future__ import annotations

from o2o_platform.payments.sandbox.app import Provider, create_sandbox

__all__ = ["Provider", "create_sandbox"]
