"""How fast kvit is, as ratios measured in one run: `make bench`. What they mean: docs/performance.md."""
