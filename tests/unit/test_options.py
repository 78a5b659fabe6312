"""What is set from outside: order of precedence, values, refusals, origins."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from hastec.diag import HasteError
from hastec.options import SETTINGS, Check, Effort, Options, Override, Setting


def source(options: Options, name: str) -> str:
    return next(o.source for o in options.origins if o.setting.name == name)


def test_defaults() -> None:
    options = Options.from_environment({})
    assert options.cache_dir is None and options.dump_dir is None
    assert options.cache_limit == 4 * 2**30
    assert (options.tune_effort, options.tune_budget, options.tune_seed) == (Effort.QUICK, 10.0, 0)
    assert options.check is Check.PLAN and not options.tune
    assert options.lock_file == Path("haste.lock")
    assert options.progress and options.color and not options.locked and not options.debug
    assert {o.source for o in options.origins} == {"default"}


def test_every_field_is_a_setting_with_an_origin() -> None:
    names = [f.name for f in fields(Options) if f.name not in ("origins", "unknown")]
    assert names == [s.name for s in SETTINGS]
    assert names == [o.setting.name for o in Options.from_environment({}).origins]
    assert len({s.variable for s in SETTINGS}) == len(SETTINGS)


VALUES: dict[str, tuple[str, Override]] = {
    "HASTE_CACHE_DIR": ("/a/b", Path("/a/b")),
    "HASTE_CACHE_LIMIT": ("512MiB", 512 * 2**20),
    "HASTE_CACHE_TRUST": ("yes", True),
    "HASTE_SKIP_CACHE": ("1", True),
    "HASTE_TUNE": ("1", True),
    "HASTE_TUNE_EFFORT": ("FULL", Effort.FULL),
    "HASTE_TUNE_BUDGET_SECONDS": ("2.5", 2.5),
    "HASTE_TUNE_SEED": ("7", 7),
    "HASTE_FORCE_TUNE": ("on", True),
    "HASTE_LOCKED": ("true", True),
    "HASTE_LOCK_FILE": ("other.lock", Path("other.lock")),
    "HASTE_DUMP_DIR": ("out", Path("out")),
    "HASTE_PROGRESS": ("0", False),
    "HASTE_COLOR": ("no", False),
    "HASTE_INTERPRET": ("1", True),
    "HASTE_TARGET": ("sm_90", "sm_90"),
    "HASTE_CHECK": ("always", Check.ALWAYS),
    "HASTE_DEBUG": ("1", True),
}


def test_values_cover_every_variable() -> None:
    assert set(VALUES) == {s.variable for s in SETTINGS}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_a_variable_sets_its_field_and_an_argument_beats_it(setting: Setting) -> None:
    text, value = VALUES[setting.variable]
    options = Options.from_environment({setting.variable: text})
    assert getattr(options, setting.name) == value
    assert source(options, setting.name) == setting.variable
    bad = Options.from_environment({setting.variable: "\0 no such value"}, **{setting.name: value})
    assert getattr(bad, setting.name) == value
    assert source(bad, setting.name) == "argument"


def test_an_argument_of_none_says_nothing() -> None:
    options = Options.from_environment({"HASTE_LOCKED": "1"}, locked=None)
    assert options.locked and source(options, "locked") == "HASTE_LOCKED"


def test_a_variable_set_to_nothing_says_nothing() -> None:
    assert Options.from_environment({"HASTE_LOCKED": "", "NO_COLOR": ""}) == (
        Options.from_environment({})
    )


def test_foreign_variables_silence_colour_and_progress() -> None:
    options = Options.from_environment({"NO_COLOR": "1", "CI": "true"})
    assert not options.color and not options.progress
    assert source(options, "color") == "NO_COLOR" and source(options, "progress") == "CI"
    assert Options.from_environment({"CI": "true", "HASTE_PROGRESS": "1"}).progress


BAD = {
    "HASTE_CACHE_DIR": "a\0b",
    "HASTE_CACHE_LIMIT": "4 gigabytes",
    "HASTE_LOCKED": "maybe",
    "HASTE_TUNE_EFFORT": "hard",
    "HASTE_TUNE_BUDGET_SECONDS": "nan",
    "HASTE_TUNE_SEED": "-1",
    "HASTE_TARGET": "../../x",
    "HASTE_CHECK": "sometimes",
    "HASTE_DUMP_DIR": "~nobody-of-this-name/x",
}


@pytest.mark.parametrize("variable", BAD)
def test_a_bad_value_is_refused_by_name(variable: str) -> None:
    with pytest.raises(HasteError) as caught:
        Options.from_environment({variable: BAD[variable]})
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "HST6001"
    assert diagnostic.message.startswith(f"{variable} is ") and variable in diagnostic.help


def test_the_exact_words() -> None:
    with pytest.raises(HasteError) as caught:
        Options.from_environment({}, check="sometimes")
    assert str(caught.value) == (
        "error[HST6001]: check is 'sometimes', which is not plan, always, off\n"
        "  help: set check to plan, always, off"
    )


def test_an_unknown_argument_is_refused_with_a_guess() -> None:
    with pytest.raises(HasteError) as caught:
        Options.from_environment({}, tune_efort="full")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.help) == ("HST6002", "did you mean 'tune_effort'?")


def test_unknown_variables_are_reported() -> None:
    options = Options.from_environment({"HASTE_TUNED": "1", "HASTE_A": "", "HOME": "/"})
    assert options.unknown == ("HASTE_A", "HASTE_TUNED")


def test_importing_it_is_light() -> None:
    code = "import sys, hastec.options; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "numpy", "sympy", "triton", "lark", "networkx", "rich"}
