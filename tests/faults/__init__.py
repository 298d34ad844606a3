"""What may break, broken on purpose. Each row of the reliability page is one file.

The loads are small in ``make test`` and whole in ``make faults``, which also prints one line a row with what
was seen.
"""
