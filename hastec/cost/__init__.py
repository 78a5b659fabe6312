"""What a kernel costs: bytes, flops and issue slots counted on it."""
