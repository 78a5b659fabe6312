"""Codes of compiling for a target (HST5) and of everything around it (HST6)."""

from __future__ import annotations

TABLE: tuple[tuple[str, str, str], ...] = (
    (
        "HST5001",
        "no lowering yet",
        "The construct has a meaning but no kernel yet: a program that contains it is run by the "
        "interpreter, which is right and slow. `hastec explain` says so too.",
    ),
    (
        "HST5002",
        "no schedule",
        "None of the ways to spread this part of a program over a processor can be compiled for "
        "the target: the message says what stood in the way of each.",
    ),
    (
        "HST6001",
        "setting cannot be read",
        "A setting that was passed as an option or as an environment variable has no value of "
        "its kind. `hastec doctor` lists all settings and where their values come from.",
    ),
    (
        "HST6002",
        "unknown setting",
        "An argument names a setting that does not exist.",
    ),
    (
        "HST6003",
        "program cannot be read",
        "The file of a program does not exist, may not be read, or is not UTF-8 text.",
    ),
    (
        "HST6004",
        "no such kernel",
        "The program declares no kernel of that name, or no kernel at all.",
    ),
    (
        "HST6005",
        "no such target",
        "A target is a kind of processor by name, such as sm_90 for an NVIDIA Hopper GPU or cpu.",
    ),
    (
        "HST6006",
        "no such device here",
        "Compiling for a target needs no device of its kind, but running does. Kernels for other "
        "devices can be read (`hastec compile`), priced (`hastec explain --target`) and checked "
        "in the kernel interpreter (`hastec verify --target`).",
    ),
    (
        "HST6007",
        "library not installed",
        "Checking programs and compiling them to source needs nothing but the package. Tables are "
        "tensors of torch, and machine code for GPUs is made by Triton: neither is installed with "
        "it, so that the builds that are there are never replaced.",
    ),
    (
        "HST6008",
        "Triton only interprets in this process",
        "Triton decides when it is imported whether it compiles kernels or interprets them. Where "
        "TRITON_INTERPRET is set, it cannot make machine code; kernels are interpreted in a "
        "process of their own, so HASTE never needs that setting.",
    ),
    (
        "HST6101",
        "cache degraded",
        "The cache on disk cannot be used as it should: the disk is full, the folder may not be "
        "written, or this system tells no owners of files. Compilation goes on in memory.",
    ),
    (
        "HST6102",
        "damaged cache entry",
        "An entry of the cache is not what its manifest says. It was set aside and is made again.",
    ),
    (
        "HST6103",
        "cache not trusted",
        "Whoever can write to the cache can run code as its user, so a cache that belongs to "
        "somebody else, or that others may write to, is not used unless HASTE_CACHE_TRUST=1 says "
        "that this is meant.",
    ),
    (
        "HST6104",
        "bundle refused",
        "A bundle of cache entries is not the file its maker named by its sha256, or holds "
        "something that no export writes. Nothing of it was taken.",
    ),
    (
        "HST6105",
        "bundle not written",
        "Entries of the cache could not be exported: one of them is not there, or the file could "
        "not be written.",
    ),
    (
        "HST6201",
        "tuning records skipped",
        "Some lines of a file of tuning records are no records. The others are used.",
    ),
    (
        "HST6202",
        "tuning records not kept",
        "What was measured could not be written down, so it will be measured again.",
    ),
    (
        "HST6203",
        "wrong candidate",
        "Tuning met kernels whose results were not what the program means. They are recorded and "
        "never used, however fast; this is a defect of the compiler that should be reported.",
    ),
    (
        "HST6204",
        "nothing to measure on",
        "Tuning runs kernels and takes their times, so it needs a device of the target's kind. "
        "Without one the model decides, or a lock file that was made on such a device.",
    ),
    (
        "HST6205",
        "nothing measured in time",
        "The time for tuning was over before a kernel could be built, on a machine that is busy or "
        "slow. The model decides, as it does without tuning.",
    ),
    (
        "HST6301",
        "not a lock file",
        "The file that pins the choices of tuning cannot be read as one.",
    ),
    (
        "HST6302",
        "choice not in the lock file",
        "With HASTE_LOCKED=1 nothing is measured, and the lock file has no choice for this "
        "kernel on this device.",
    ),
    (
        "HST6303",
        "choice locked for another program",
        "With HASTE_LOCKED=1 nothing is measured, and the lock file's choice for this kernel was "
        "made for another text of the program or for other sizes.",
    ),
    (
        "HST6304",
        "lock file not written",
        "The choices of tuning could not be written to the lock file.",
    ),
    (
        "HST6401",
        "unknown command",
        "`hastec` is followed by one of its commands; `hastec --help` lists them.",
    ),
    (
        "HST6402",
        "unknown option",
        "The command has no such option; `hastec COMMAND --help` lists those it has.",
    ),
    (
        "HST6403",
        "bad argument",
        "An argument of a command is missing, is one too many, or is not of its kind.",
    ),
    (
        "HST6404",
        "binding not understood",
        "A binding is NAME=VALUE. The value is a file (.mtx, .smtx, .npz, .npy, .safetensors), "
        "an invented table (random:4096x16, random:4096x4096@0.1, zeros:8, range:17@64), or a "
        "number for a size or a single value.",
    ),
    (
        "HST6405",
        "file not written",
        "What a command was to leave on disk could not be written.",
    ),
    (
        "HST6406",
        "no such stage",
        "A stage is the graph behind one pass, named by its number and the pass: 06-tile. Number "
        "or pass alone will do.",
    ),
    (
        "HST6407",
        "not formatted",
        "The file is not in the one layout that `hastec fmt` gives it.",
    ),
    (
        "HST6501",
        "results differ",
        "What was computed is not what the program means, by more than rounding explains. This "
        "is a defect of the compiler; the message names the first stage that shows it.",
    ),
)
