"""Checks of whole programs: every stage and every kernel against what the program means.

Cases are small tables made to hurt: full, nearly empty, all zero, sizes of 1 and sizes that are no
multiples of anything. Where arithmetic is exact on small integers, results must be equal.
"""
