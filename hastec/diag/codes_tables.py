"""Codes of errors in tables and their formats at run time: HST40 and HST45."""

from __future__ import annotations

TABLE: tuple[tuple[str, str, str], ...] = (
    (
        "HST4001",
        "argument of a kind that is no table",
        "A table is given as a torch tensor (dense, or sparse in the coo, csr, csc, bsr or bsc "
        "layout), a NumPy array, a number for a table without dimensions, a SciPy sparse array, a "
        "mapping of components, or the path of a matrix file. Quantized, nested, complex and fake "
        "tensors are none of these, and a sparse table cannot stand for one that is declared "
        "dense.",
    ),
    (
        "HST4002",
        "element type that was not declared",
        "A table is given in the type it is declared with; nothing is converted silently, since "
        "that would hide a copy and a rounding. Index arrays of sparse tables may be int32 or "
        "int64.",
    ),
    (
        "HST4003",
        "number of dimensions that was not declared",
        "The table has more or fewer dimensions than its declaration.",
    ),
    (
        "HST4004",
        "sizes that disagree",
        "Two tables tell different values of one size, or a dimension fits no natural number, or "
        "a size was passed that is none. The message shows both declarations.",
    ),
    (
        "HST4005",
        "size that nothing tells",
        "A size is used by a table that was not given, or only inside a quotient, so that no "
        "table given tells its value. Pass it by name.",
    ),
    (
        "HST4006",
        "table not laid out as kernels read it",
        "Kernels read elements that lie one after the other from an address that is a multiple of "
        "16 bytes. The short way copies a table that does not; a plan asks for it.",
    ),
    (
        "HST4007",
        "table on another device",
        "A table is not where the program runs, or its components are on different devices.",
    ),
    (
        "HST4008",
        "table without memory",
        "The tensor is on the meta device, or its storage was freed or shrunk.",
    ),
    (
        "HST4009",
        "components missing or unknown",
        "A sparse table is made of the components of its format, all of them and no others, and "
        "of a shape.",
    ),
    (
        "HST4010",
        "component of the wrong length or shape",
        "An index or value array does not have as many elements, or dimensions, as the others and "
        "the shape ask for.",
    ),
    (
        "HST4011",
        "starts or counts that are not sound",
        "The starts of fibres begin with 0, do not decrease, and are multiples of what fibres are "
        "padded to; ranks count the bits before them.",
    ),
    (
        "HST4012",
        "coordinate or length out of range",
        "A stored coordinate is negative or past the end of its dimension, or a fibre is longer "
        "than there is room for.",
    ),
    (
        "HST4014",
        "coordinate that occurs twice",
        "No coordinate of a table occurs twice. Sum the duplicates, or keep one.",
    ),
    (
        "HST4015",
        "no room in the format",
        "A fibre holds more entries than fixed(k) or choose(n) has positions for, and no part of "
        "the format follows that takes the rest.",
    ),
    (
        "HST4016",
        "more positions than kernels address",
        "The starts of fibres are 32-bit numbers, so a level with run-time lengths has fewer than "
        "2^31 positions.",
    ),
    (
        "HST4017",
        "not enough memory",
        "What a table, or its packed form, would take is counted before it is allocated, and is "
        "more than there is free or allowed.",
    ),
    (
        "HST4018",
        "value that cannot be held",
        "A number does not fit the declared type, a coordinate does not fit the index code, or a "
        "value code cannot hold a value (NaN and infinity have no place among integers).",
    ),
    (
        "HST4019",
        "index out of range",
        "A table that is used as a subscript holds a number past the end of the dimension it is "
        "used at, and no condition guards the access.",
    ),
    (
        "HST4020",
        "table that is written and shared",
        "A table declared inout shares memory with another argument.",
    ),
    (
        "HST4021",
        "file that cannot be read",
        "The file is missing, of an unknown kind, or its text is unsound; the message says which "
        "line.",
    ),
    (
        "HST4022",
        "file that is too large",
        "The file holds more than 4 GiB once it is unpacked.",
    ),
    (
        "HST4023",
        "run-time cut that is not known",
        "A format joins two layouts where a scalar or size says; its value must be known before "
        "the table can be packed.",
    ),
    (
        "HST4024",
        "name that is no argument",
        "An input was not passed, or a name was passed that is neither a table nor a size of the "
        "kernel.",
    ),
    (
        "HST4501",
        "unknown level or code",
        "A format names a level, an index code or a value code that this compilation does not "
        "know.",
    ),
    (
        "HST4502",
        "dimension that is not stored",
        "The levels of a format must store every dimension once: whole, or as the quotient and "
        "the remainder by one number.",
    ),
    (
        "HST4503",
        "level in the wrong place or with wrong options",
        "A level with one position a fibre stands below one whose coordinates may repeat; such a "
        "level needs one; options must be in range.",
    ),
    (
        "HST4504",
        "unknown group of padding",
        "Fibres are padded within a coordinate that a level above stores.",
    ),
    (
        "HST4505",
        "storage order that cannot be addressed",
        "The digits of a storage order spell out every level, and what is read from memory stands "
        "behind the levels above it.",
    ),
    (
        "HST4506",
        "value code that does not fit",
        "A value code that groups neighbours on the last index needs them side by side in whole "
        "groups, and must be able to hold the table's type and fill.",
    ),
    (
        "HST4507",
        "format of more dimensions than the table",
        "A format stores the last dimensions of a table; the table has fewer.",
    ),
)
