"""Rooms with a listening socket."""
