"""What a processor can do, as data."""

from hastec.target.data import CPU, GFX942, SM80, SM90, SM100, TARGETS, Target, host_cpu

__all__ = ["CPU", "GFX942", "SM80", "SM90", "SM100", "TARGETS", "Target", "host_cpu"]
