"""Clients and what they owe: taken in from files slice by slice, and looked at one by one.

``office`` is what the commands ask; ``run`` takes a file in; ``accounts``, ``charges`` and ``balances`` say
what a row of each kind means; ``desk`` and ``settling`` turn that into rows of the books.
"""
