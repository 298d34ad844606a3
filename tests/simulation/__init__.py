"""R3: a whole gateway in one process, on a clock that never waits and a network that loses things.

One seed is one history: who pays what and when, what the wires, the store and the clock do to it. The
door, the codec, the lanes, the services and the SQLite posting are the real ones; time, wires, threads and
the store's bad moments are made here. ``python -m tests.simulation --seed 17`` tells one history.

``plan`` says what a seed means; ``history`` plays it with ``agents`` who ask, a ``wire`` between them and
the ``process``, a ``store`` with ``faults``, and an ``office`` that writes too. A ``witness`` sees every
answer leave and what is committed at that moment: ``verdicts`` and ``batches`` judge the two. At the end
``checks`` look at the books, and ``replay`` plays them again in a model. ``runner`` and ``score`` do that a
million times.
"""
