"""Numbers behind :mod:`hastec.backends.cpu.formulas`: minimax polynomials and split constants.

Polynomials are Remez fits in 60 digits of the function and interval named beside them, the
constant coefficient first; the power of two is the greatest error relative to the function.
"""

from __future__ import annotations

from dataclasses import dataclass

Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A float format: its LLVM type, its word, and the constants of its formulas.

    ``round`` is 1.5 times 2 to the digits after the point: adding it leaves the nearest integer in
    the low bits. ``one`` and ``root`` are the words of 1 and of the root of 1/2. A constant in
    several parts is their sum; leading parts end in zero bits. Angles above ``far`` are reduced
    with as many digits as they need.
    """

    element: str
    word: str
    digits: int
    one: int
    root: int
    round: float
    tiny: float
    least: float
    exp_range: tuple[float, float]
    exp2_range: tuple[float, float]
    ln2: tuple[float, float]
    half_pi: tuple[float, float, float]
    far: float
    exp: Numbers
    log: Numbers
    sin: Numbers
    cos: Numbers
    erf: Numbers
    erf_far: Numbers
    erf_centre: float
    erf_end: float


SINGLE = Kind(
    element="float",
    word="i32",
    digits=23,
    one=0x3F800000,
    root=0x3F3504F3,
    round=12582912.0,
    tiny=2.0**-126,
    least=2.0**23,
    exp_range=(-104.0, 89.0),
    exp2_range=(-151.0, 129.0),
    ln2=(0.693145751953125, 1.428606765330187e-06),
    half_pi=(1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
    far=32768.0,
    # (exp(x) - 1 - x) / x^2 on |x| <= ln(2) / 2: 2^-28
    exp=(0.5, 0.1666651815, 0.04166620597, 0.008368889801, 0.00139504962),
    # (log(1 + x) - x + x^2 / 2) / x^3 on 1 / sqrt(2) <= 1 + x <= sqrt(2): 2^-30
    log=(
        *(0.33333310485, -0.24999986589, 0.20002226532, -0.16669252515, 0.14218661189),
        *(-0.12384333462, 0.1187293604, -0.11789879203, 0.06915538759),
    ),
    # (sin(x) - x) / x^3 and (cos(x) - 1 + x^2 / 2) / x^4 in x^2 on |x| <= pi / 4: 2^-28, 2^-33
    sin=(-0.166666552, 0.008332178, -0.00019517234),
    cos=(0.041666645557, -0.00138873665, 2.4438379e-05),
    # erf(x) / x in x^2 on |x| <= 1: 2^-29; log(erfc(x)) on 1 .. 4, error times erfc(x): 2^-29
    erf=(
        *(1.1283791066, -0.37612625957, 0.1128360033, -0.0268544443, 0.0051895357),
        *(-0.000802084338, 7.88912657e-05),
    ),
    erf_far=(
        *(-0.00035374312, -1.12703991, -0.63822585, -0.10303722, 0.021805242),
        *(-0.0029395877, 0.00018557199),
    ),
    erf_centre=0.0,
    erf_end=4.0,
)

DOUBLE = Kind(
    element="double",
    word="i64",
    digits=52,
    one=0x3FF0000000000000,
    root=0x3FE6A09E667F3BCD,
    round=6755399441055744.0,
    tiny=2.0**-1022,
    least=2.0**52,
    exp_range=(-746.0, 710.0),
    exp2_range=(-1076.0, 1025.0),
    ln2=(0.6931471805592082, 7.371002565167799e-13),
    half_pi=(1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
    far=2.0**28,
    # on the same intervals: 2^-58
    exp=(
        *(0.5000000000000012, 0.166666666666667, 0.041666666666515424, 0.008333333333307208),
        *(0.0013888888947015106, 0.00019841269917381988, 2.48014899430939e-05),
        *(2.7557216297060678e-06, 2.7631280018458093e-07, 2.5117863877851963e-08),
    ),
    # (log((1 + s) / (1 - s)) - 2 s) / s^3 in s^2, s = x / (2 + x): 2^-65
    log=(
        *(0.6666666666666666, 0.4000000000000624, 0.28571428569087387, 0.2222222264656693),
        *(0.18181775684123164, 0.1538708993492867, 0.1325013686152337, 0.13251157296632968),
    ),
    # 2^-58, 2^-64
    sin=(
        *(-0.16666666666666632, 0.008333333333322413, -0.00019841269829807854),
        *(2.755731369192822e-06, -2.5050758116114174e-08, 1.5896795666660997e-10),
    ),
    cos=(
        *(0.0416666666666666, -0.0013888888888874125, 2.4801587289482194e-05),
        *(-2.7557314352329313e-07, 2.087572327209577e-09, -1.135964772004104e-11),
    ),
    # 2^-62; in x - 3 on 1 .. 6: 2^-57
    erf=(
        *(1.1283791670955126, -0.3761263890318375, 0.11283791670954885, -0.026866170645077875),
        *(0.005223977624828422, -0.0008548326981425538, 0.00012055331132971613),
        *(-1.492559577289319e-05, 1.6461008493848278e-06, -1.635039643523663e-07),
        *(1.4660330395810715e-08, -1.1374963014008177e-09, 5.960698821988889e-11),
    ),
    erf_far=(
        *(-10.72036304198085, -6.303753689003112, -0.957394218820863, -0.007411891877156919),
        *(0.0013533104283128736, -0.00024569161642422826, 4.308278705128683e-05),
        *(-7.115363271749571e-06, 1.0676080437551612e-06, -1.38315652782732e-07),
        *(1.1160591062983441e-08, 1.960907035350427e-09, 5.550614585893954e-10),
        *(4.31128096988076e-10, -2.43588433138424e-10, -1.4724164989126107e-10),
        *(-4.6084268444083815e-11, -4.8649949531674e-12),
    ),
    erf_centre=3.0,
    erf_end=6.0,
)

KINDS = {"float": SINGLE, "double": DOUBLE}
