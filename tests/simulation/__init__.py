"""R3: a whole gateway in one process, on a clock that never waits and a network that loses things.

One seed is one history: who pays what and when, what the wires, the store and the clock do to it. The
door, the codec, the lanes, the services and the SQLite posting are the real ones; time, wires, threads and
the store's bad moments are made here. ``python -m tests.simulation --seed 17`` tells one history.
"""
