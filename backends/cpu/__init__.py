"""The CPU backend: LLVM IR text, machine code through llvmlite, and a pool of threads."""
