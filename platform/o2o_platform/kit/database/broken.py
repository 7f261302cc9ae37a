"""What the PostgreSQL driver raises when its connection has broken, or the server has not done what it was asked.

Decides nothing but the names, so that whoever lives through a lost connection means the same errors.
"""

from __future__ import annotations

import asyncpg
from asyncpg.exceptions import InternalClientError

BROKEN = (OSError, asyncpg.InterfaceError, InternalClientError)
"""The connection is gone. InternalClientError is what a query gets on a connection whose server has said farewell (it
shuts down, its backend was ended) before the end of the stream was read: nothing of that query was sent."""
TROUBLE = (*BROKEN, asyncpg.PostgresError)
"""Any of these, or the server's own word."""
