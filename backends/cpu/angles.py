"""Reduction of large angles: as many digits of 2 / pi as the angle asks for.

An angle m 2^e is multiplied, in 256-bit integers, with those bits of 2 / pi whose products weigh
less than 4; what weighs more are whole turns (Payne and Hanek, 1983).
"""

from __future__ import annotations

from hastec.backends.cpu.code import Code, Module, Part
from hastec.backends.cpu.text import literal

DIGITS = bytes.fromhex(
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e0"
    "06492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f4"
    "9c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d"
    "7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cf"
)
"""2 / pi times two to 1232, most significant byte first."""

BYTES = 160
"""Bytes of the table: the digits above plus zeros, so that every window lies inside."""

_FAR = """define internal {{ double, i64 }} @angle.far(double %x) #2 {{
entry:
  %word = bitcast double %x to i64
  %shifted = lshr i64 %word, 52
  %biased = and i64 %shifted, 2047
  %low = and i64 %word, 4503599627370495
  %m = or i64 %low, 4503599627370496
  %special = icmp eq i64 %biased, 2047
  br i1 %special, label %nan, label %number
nan:
  ret {{ double, i64 }} {{ double {nan}, i64 0 }}
number:
  ; x = m 2^e; skip the first s bits from the end of the digits, in bytes and a shift
  %e = sub i64 %biased, 1075
  %s = sub i64 978, %e
  %up = add i64 %s, 7
  %byte = ashr i64 %up, 3
  %bits = shl i64 %byte, 3
  %rest = sub i64 %bits, %s
  %at = getelementptr inbounds i8, ptr @two.over.pi, i64 %byte
  %window = load i256, ptr %at, align 1
  %wide = zext i64 %m to i256
  %product = mul i256 %wide, %window
  %by = zext i64 %rest to i256
  %turns = shl i256 %product, %by
  ; two bits of whole quarters, then the fraction; round to the nearest quarter
  %near = add i256 %turns, {half}
  %top = lshr i256 %near, 254
  %back = shl i256 %top, 254
  %fraction = sub i256 %turns, %back
  %f0 = ashr i256 %fraction, 192
  %w0 = trunc i256 %f0 to i64
  %f1 = lshr i256 %fraction, 128
  %w1 = trunc i256 %f1 to i64
  %f2 = lshr i256 %fraction, 64
  %w2 = trunc i256 %f2 to i64
  %d0 = sitofp i64 %w0 to double
  %d1 = uitofp i64 %w1 to double
  %d2 = uitofp i64 %w2 to double
  %r0 = fmul double %d0, {scale0}
  %r1 = fmul double %d1, {scale1}
  %r2 = fmul double %d2, {scale2}
  %r12 = fadd double %r1, %r2
  %r = fadd double %r0, %r12
  %angle = fmul double %r, {half_pi}
  %quarter = trunc i256 %top to i64
  %minus = fneg double %angle
  %other = sub i64 0, %quarter
  %negative = icmp slt i64 %word, 0
  %signed = select i1 %negative, double %minus, double %angle
  %turned = select i1 %negative, i64 %other, i64 %quarter
  %one = insertvalue {{ double, i64 }} poison, double %signed, 0
  %both = insertvalue {{ double, i64 }} %one, i64 %turned, 1
  ret {{ double, i64 }} %both
}}
"""


def far(code: Code, x: Part, far: Part, r: Part, q: Part) -> tuple[Part, Part]:
    """Return ``r`` and ``q``, replaced by an exact reduction of ``x`` where ``far`` holds."""
    there, join, here = code.fresh("far"), code.fresh("near"), code.block
    code.line(f"br {code.any('any', far)}, label %{there}, label %{join}")
    code.label(there)
    exact, turns = _each(code, x, r, q)
    chosen = code.select("r", far, exact, r), code.select("q", far, turns, q)
    code.line(f"br label %{join}")
    code.label(join)
    phis = [
        code.emit("x", f"phi {old.type} [ {old.name}, %{here} ], [ {new.name}, %{there} ]")
        for old, new in zip((r, q), chosen, strict=True)
    ]
    return Part(phis[0], r.element, r.lanes), Part(phis[1], q.element, q.lanes)


def _each(code: Code, x: Part, r: Part, q: Part) -> tuple[Part, Part]:
    """Reduce every lane of ``x`` by itself."""
    code.helper("angle.far", _write)
    lanes = [code.extract("lane", x, n) for n in range(x.lanes)] if x.lanes else [x]
    angles, turns = [], []
    for lane in lanes:
        wide = code.convert("wide", "fpext", lane, "double")
        both = code.call("both", "{ double, i64 }", "angle.far", [("double", wide.name)])
        angle = Part(code.emit("r", f"extractvalue {{ double, i64 }} {both}, 0"), "double")
        turn = Part(code.emit("q", f"extractvalue {{ double, i64 }} {both}, 1"), "i64")
        angles.append(code.convert("r", "fptrunc", angle, r.element))
        turns.append(code.convert("q", "trunc", turn, q.element))
    if not x.lanes:
        return angles[0], turns[0]
    return code.gathered("r", angles), code.gathered("q", turns)


def _write(module: Module, _: str) -> str:
    padded = DIGITS[::-1] + bytes(BYTES - len(DIGITS))
    shown = "".join(f"\\{byte:02X}" for byte in padded)
    module.constants["two.over.pi"] = (
        f'@two.over.pi = private unnamed_addr constant [{BYTES} x i8] c"{shown}", align 32'
    )
    scales = {f"scale{n}": literal(2.0 ** (-62 - 64 * n), "double") for n in range(3)}
    return _FAR.format(
        nan=literal(float("nan"), "double"),
        half=2**253,
        half_pi=literal(1.5707963267948966, "double"),
        **scales,
    )
