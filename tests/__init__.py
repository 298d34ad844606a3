"""Tests of kvit. They start what they need themselves: a PostgreSQL, a server, a browser."""
