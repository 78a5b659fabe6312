"""Codes of errors in a program's text: HST0 to HST3."""

from __future__ import annotations

TABLE: tuple[tuple[str, str, str], ...] = (
    # -------------------------------------------------------------------------- text and syntax
    (
        "HST0001",
        "unexpected character",
        "A character begins no word, number or sign of the language. Names are made of ASCII "
        "letters, digits and underscores; other characters may only stand in comments, which "
        "begin with `#`.",
    ),
    (
        "HST0002",
        "syntax error",
        "A word or sign stands where the grammar does not allow it. The message says what may "
        "stand there. A line ends a statement unless a bracket is open or the line ends in an "
        "operator or a comma. Reading goes on with the next declaration.",
    ),
    (
        "HST0003",
        "closing bracket without a partner",
        "A bracket is closed that was never opened, or by a bracket of another kind.",
    ),
    (
        "HST0004",
        "bracket never closed",
        "A bracket is opened and not closed before its declaration or its body ends.",
    ),
    (
        "HST0005",
        "reserved word used as a name",
        "Words of the grammar, such as `for`, `sum`, `index` or `static`, cannot name tables, "
        "indices or anything else. Add an underscore or choose another name.",
    ),
    (
        "HST0006",
        "nesting too deep",
        "Brackets may nest 64 deep, expressions 128 deep, functions written out included. Give a "
        "part of the expression a name of its own.",
    ),
    (
        "HST0007",
        "bad name",
        "A name has at most 64 letters and no two underscores in a row.",
    ),
    (
        "HST0008",
        "bad version line",
        "A file opens with `haste 1`, the version of the language it is written in. This compiler "
        "reads version 1 only. A text without the line is read as version 1.",
    ),
    (
        "HST0009",
        "number out of range",
        "Integers go up to 2^63 - 1, floating-point numbers up to the largest f64, and a number "
        "is written with at most 4300 digits.",
    ),
    ("HST0010", "text too long", "A program has at most 1 MiB of text."),
    (
        "HST0011",
        "not a declaration",
        "Outside of bodies a program consists of declarations: `format`, `pattern`, `fn`, "
        "`monoid`, `kernel`, `schedule`. Each begins on a line of its own.",
    ),
    # ------------------------------------------------------------------------ names and indices
    (
        "HST1001",
        "unknown name",
        "A name means nothing where it stands, or not yet: statements see what earlier ones "
        "define. Functions see their parameters and sizes, nothing else.",
    ),
    (
        "HST1002",
        "index not bound",
        "An index on the right is neither on the left side nor bound by a bracket around it. "
        "Nothing is summed silently: write `sum[k] …`, or put the index on the left.",
    ),
    (
        "HST1003",
        "index bound twice",
        "An index is bound by the left side or by one enclosing bracket, never by two.",
    ),
    (
        "HST1004",
        "index used outside its reduction",
        "A reduction takes the parentheses after it, else the product to its right: "
        "`sum[k] a * b + c` is `(sum[k] a * b) + c`, and `sum[k] (a + b) * c[k]` leaves `c[k]` "
        "outside. Put parentheses around all it takes: `sum[k] ((a + b) * c[k])`.",
    ),
    (
        "HST1005",
        "name with two meanings",
        "A name means one thing in a kernel: a size, a table, an index, or a function. Sizes are "
        "upper-case, indices lower-case, and functions of the language keep their names.",
    ),
    (
        "HST1006",
        "index taken by name is not in scope",
        "A definition without brackets, `T = …`, takes its indices by name where it is used. Each "
        "of them must be in scope there, under the same name.",
    ),
    (
        "HST1007",
        "output never computed",
        "Each output must be defined by one statement.",
    ),
    (
        "HST1008",
        "defined twice",
        "Statements assign once, and parameters, kernels, formats and functions of one program "
        "have different names. Only an `inout` table can be updated, with `:=`.",
    ),
    (
        "HST1009",
        "not a table that can be written",
        "`=` defines outputs and new names, not inputs; `:=` updates `inout` tables and nothing "
        "else.",
    ),
    (
        "HST1010",
        "recursion",
        "A function is made of itself. Functions and patterns are written out where they are "
        "used, so they cannot be recursive.",
    ),
    (
        "HST1011",
        "wrong number of arguments",
        "A function, pattern, reduction or selection has more or fewer arguments than it takes. "
        "Options stand behind `;` and are counted apart.",
    ),
    (
        "HST1012",
        "missing, unknown or repeated option",
        "Options stand behind `;`, each once. `topk` needs `k`, `top_p` needs `p`, both take any "
        "number of `always`; functions and patterns need all the options they declare.",
    ),
    (
        "HST1013",
        "unknown function or reduction",
        "What stands before parentheses is a function of the language, a type, or a `fn` or "
        "`pattern` of the program; before brackets and parentheses it is a reduction, a selection, "
        "`softmax` or a `monoid` of the program. `a if c else b` chooses between values.",
    ),
    (
        "HST1014",
        "not allowed here",
        "Several values in parentheses stand left of `in` only; `a.p` stands in the `merge` of a "
        "monoid only.",
    ),
    (
        "HST1015",
        "left side is not made of indices",
        "The left side of `=` names indices and nothing else. To write through an index, reduce "
        "under a condition: `Y[v, d] = sum[n, to[n] == v] X[n, d]`.",
    ),
    (
        "HST1016",
        "brackets without their index",
        "A reduction binds an index or more; `argmax` and `argmin` bind one. `softmax` and "
        "selections begin with the index they keep, which the left side or an enclosing bracket "
        "binds; how many are selected cannot depend on it.",
    ),
    (
        "HST1017",
        "`for` without an index of the left side",
        "`for` gives ranges to indices of the left side and states conditions; it binds nothing.",
    ),
    (
        "HST1018",
        "unclear membership",
        "It is not clear which index of a definition by name is tested by `in`. Define it by "
        "place: `T[h, i, b] = …`, and write `b in T[h, i]`.",
    ),
    (
        "HST1019",
        "kernel computes nothing",
        "A kernel has an output behind `->`, or updates an `inout` table.",
    ),
    (
        "HST1020",
        "bad schedule",
        "A `schedule` block names a kernel of the program, once, and holds settings, each a "
        "positive integer and set once: `tile(m = 64)` for an index, `warps`, `stages` and "
        "`unroll`.",
    ),
    (
        "HST1021",
        "bad monoid",
        "A monoid has the lines `one` (the state of an element), `none` (the empty state), "
        "`merge` (two states `a` and `b` joined) and `give` (the result), each once. The first "
        "three give the same fields, by arithmetic, comparisons and functions.",
    ),
    (
        "HST1022",
        "program too large",
        "A kernel has at most 10 000 operations, a field of a monoid at most 200, with functions "
        "written out.",
    ),
    # ----------------------------------------------------------------------- types and shapes
    (
        "HST2001",
        "index used at two sizes",
        "An index ranges over the size of the dimension at which it stands alone. Two such uses "
        "must agree; both places are shown. In bounds of ranges, and inside arithmetic, an index "
        "need only fit.",
    ),
    (
        "HST2002",
        "range of an index unknown",
        "Nothing says how far an index goes: it stands alone at no dimension of a table and has no "
        "range of its own. An index on the left side alone needs a `for`.",
    ),
    (
        "HST2003",
        "size does not follow from the inputs",
        "Input shapes give the sizes: `B` from `B + 1`, `M` from `H * M` once `H` is known. A size "
        "that only outputs show is passed by name; one that inputs show must follow from them.",
    ),
    (
        "HST2004",
        "wrong number of subscripts",
        "A table takes one subscript for each dimension; `x in T[h, i]` counts `x` as the last. A "
        "definition by name takes none.",
    ),
    (
        "HST2005",
        "wrong kind of value",
        "Conditions and what `and`, `or`, `not`, `any`, `all`, `where` take must be true or false; "
        "what is ranked or normalised must be a number; bit operations take bits or integers. "
        "Both sides of `if` are of one kind.",
    ),
    (
        "HST2006",
        "integer expected",
        "Subscripts, bounds of ranges, members of selections and `k` are integers.",
    ),
    (
        "HST2007",
        "unknown type",
        "The types are bool, bits, i8 to i64, u8 to u32, f16, bf16, f32, f64, and those that only "
        "store: i2 to i7, u2 to u7, e2m1, e4m3, e5m2.",
    ),
    (
        "HST2008",
        "bad dimension",
        "A dimension is made of sizes (upper-case) and integers with `+ - * / %`, and is not "
        "negative.",
    ),
    (
        "HST2009",
        "subscript out of bounds",
        "A subscript lies outside its dimension whatever the sizes and indices are.",
    ),
    (
        "HST2010",
        "subscript may be out of bounds",
        "A subscript that depends on indices and sizes only must be proven to fit, if need be from "
        "a condition it stands behind: `x[i + 1] if i + 1 < N else 0`. What depends on integers "
        "that the caller gives is checked when the kernel is called.",
    ),
    (
        "HST2011",
        "table and value confused",
        "A table with dimensions needs subscripts where a value is meant, and a value or an index "
        "takes none.",
    ),
    ("HST2012", "too many dimensions", "A table has at most 8 dimensions."),
    (
        "HST2013",
        "division by zero",
        "An integer is divided by the constant 0, or its remainder is asked for.",
    ),
    (
        "HST2014",
        "numbers assigned to a table of truth values",
        "A table of type bool or bits takes conditions. Numbers are compared first.",
    ),
    (
        "HST2015",
        "type that only stores",
        "Nothing is computed in types such as u4 or e2m1: they describe tables. Values are "
        "converted to computing types.",
    ),
    (
        "HST2016",
        "table of unknown size",
        "A table needs a known size along each of its indices. A range that only data bound, such "
        "as `t < len[b]`, does not give one.",
    ),
    (
        "HST2017",
        "not a pattern",
        "What stands right of `in` is a range, a condition by name, a bool table, a selection, or "
        "a sparse table, whose present entries are meant. `T * 64` scales a pattern to blocks.",
    ),
    # ---------------------------------------------------------------------------------- formats
    (
        "HST3001",
        "unknown format",
        "Behind `@` stands a format the program declares, or a ready one: csr, csc, coo, ell, "
        "sell, bsr, nm, bitmap.",
    ),
    (
        "HST3002",
        "unknown level",
        "A layout is made of levels (dense, compressed, ragged, fixed, singleton, bitmap, choose, "
        "paged) and of other formats.",
    ),
    (
        "HST3003",
        "unknown code",
        "Value codes are int1 to int8, fp8, mx, palette, planes and huffman; index codes are u8, "
        "u16, i32, i64 and delta.",
    ),
    (
        "HST3004",
        "bad option of a format",
        "Options of formats, levels and codes are positive integers, given by place or by name, "
        "each once; a format's options are all given. A run-time cut may be a size or an integer "
        "input without brackets.",
    ),
    (
        "HST3005",
        "layout does not store each coordinate once",
        "The levels of a layout store every dimension once: as it is, or as `i / c` and `i % c` "
        "with the same `c`.",
    ),
    (
        "HST3006",
        "bad cut",
        "A cut is the outermost part of a format: `below if l < c else above`, where `l` is a "
        "dimension and `c` an option that is a size or a scalar input. Each side is one layout "
        "without sums.",
    ),
    (
        "HST3007",
        "format has more dimensions than the table",
        "A format lays out the last dimensions of a table; those before are dense.",
    ),
    (
        "HST3008",
        "adjectives that do not go together",
        "A table is one of static, request and step; outputs may only be sparse; what is written "
        "is not static; `sparse` takes `fill`, a value of the table's type, and `cap` on outputs.",
    ),
    (
        "HST3009",
        "bad `like`",
        "An output may take the pattern of a sparse input of the same shape.",
    ),
    (
        "HST3010",
        "code does not fit the type",
        "int and fp8 codes and mx hold floating-point tables; planes split all bits of an integer "
        "type.",
    ),
    (
        "HST3011",
        "sparse output stores everything",
        "A sparse output stores what its expression implies: a product what both factors store, a "
        "sum what either stores, `for` what it names. If that is everything, it is not sparse.",
    ),
    (
        "HST3012",
        "format made of itself, or too large",
        "Formats may use other formats, 16 deep, but not themselves, and have at most 16 parts.",
    ),
)
