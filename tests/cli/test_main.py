"""Help, exit codes, options of all verbs, and messages for wrong options."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qdsurf.cli import main
from qdsurf.cli.parser import build_parser

PROGRAM = Path(sys.executable).parent / "qdsurf"
VERBS = (
    *("list", "slab", "nanocrystal", "sites", "ligate", "place", "show", "energy", "relax", "reactions", "qualify"),
    *("corrections", "kinetics", "status", "trace", "completion"),
)


def test_installed_program_prints_help_on_all_verbs():
    result = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True)
    assert all(f"\n    {verb}" in result.stdout for verb in VERBS) and result.stderr == ""


def test_help_imports_no_heavy_package():
    code = "import sys; from qdsurf.cli.parser import build_parser; build_parser(); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "ase", "pydantic", "yaml", "rdkit", "pandas"} & set(result.stdout.split())


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_has_valid_examples(verb, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    text = capsys.readouterr().out
    assert f"example:\n  qdsurf {verb} " in text and "--json" in text
    for example in re.findall(rf"^  qdsurf ({verb} [^>\n]+)", text, re.MULTILINE):
        assert build_parser().parse_args(example.split()).run, example


def test_help_lists_the_exit_codes(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    codes = re.findall(r"^    (\d+) +`?(\w+)", capsys.readouterr().out, re.MULTILINE)
    assert codes == [("0", "success"), ("1", "status"), ("2", "error"), ("130", "interrupted")]


def test_interruption_has_a_message_and_exit_code_130(monkeypatch, capsys):
    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("qdsurf.cli.library.list_records", interrupt)
    assert main(["list", "facets"]) == 130
    assert capsys.readouterr().err == "qdsurf: interrupted\n"


def test_verbose_prints_the_traceback_of_an_error(capsys, tmp_path):
    words = ["sites", str(tmp_path / "absent.xyz")]
    assert main(words) == main([*words, "--verbose"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == lines[-1] and "absent.xyz: no such file" in lines[0]
    assert lines[1:3] == ["traceback of the error:", "Traceback (most recent call last):"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "VERB"),
        (["slab", "PbS", "100", "-o", "x.xyz", "--layers", "0"], "must be an integer of at least 1, not '0'"),
        (["slab", "PbS", "100", "-o", "x.xyz", "--vacuum", "nan"], "must be a number above 0, not 'nan'"),
        (["list", "colours"], "invalid choice: 'colours'"),
        (["ligate", "x.xyz", "oleate", "--count", "1", "--coverage", "1", "-o", "y.xyz"], "not allowed with"),
        (["ligate", "x.xyz", "oleate", "--pattern", "dense", "-o", "y.xyz"], "invalid choice: 'dense'"),
    ],
)
def test_wrong_arguments_end_with_a_message(words, message, usage_error_of):
    assert message in usage_error_of(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("slab PbS 111 --stand-in Br -o x.xyz", "slab: error: --stand-in is now called --passivating-ion"),
        ("slab PbS 111 --stand-in=Br -o x.xyz", "slab: error: --stand-in is now called --passivating-ion"),
        ("sites x.xyz --stand-in", "sites: error: unknown option --stand-in; `qdsurf sites --help` lists the options"),
        ("relax x.xyz --max-step 3 -o y.xyz", "relax: error: unknown option --max-step; did you mean --max-steps?"),
        ("kinetics x --pressure 3", "kinetics: error: unknown option --pressure; did you mean --pressure_Pa?"),
        ("nanocrystal PbS -diameter 3nm", "nanocrystal: error: unknown option -diameter; did you mean --diameter?"),
        ("list facets --xyz", "list: error: unknown option --xyz; `qdsurf list --help` lists the options"),
    ],
)
def test_unknown_option_has_a_suggestion(words, message, usage_error_of):
    assert usage_error_of(*words.split()) == f"qdsurf {message}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nanocrystal PbS --diameter -3nm -o x.xyz", "argument --diameter: must be above 0, such as 3nm"),
        ("slab PbS 100 --thickness -2.5e1 -o x.xyz", "argument --thickness: must be a number above 0, not '-2.5e1'"),
        ("relax x.xyz --fmax -.05 -o y.xyz", "argument --fmax: must be a number above 0, not '-.05'"),
        ("slab PbS 100 --supercell 2 -3 -o x.xyz", "argument --supercell: must be an integer of at least 1, not '-3'"),
    ],
)
def test_negative_value_is_not_taken_for_an_option(words, message, usage_error_of):
    assert message in usage_error_of(*words.split())


def test_words_after_two_hyphens_are_not_options(error_of):
    assert "--absent.xyz: no such file" in error_of("sites", "--", "--absent.xyz")


@pytest.mark.parametrize("wrong", ["model", "=1", "model=", "model=[1, 2]", "model=[1", "a b=1"])
def test_calculator_parameter_is_a_key_with_one_value(wrong, usage_error_of):
    message = usage_error_of("corrections", "--calculator", "mace", "--parameter", wrong)
    assert f"must be KEY=VALUE with one value, such as model=weights.pth, not {wrong!r}" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "'3' cannot be converted to nm; write a number with a unit, such as 3nm or 30angstrom"),
        ("3kg", "'3kg' cannot be converted to nm"),
        ("3,5nm", "'3,5nm' cannot be converted to nm"),
        ("3_5nm", "'3_5nm' cannot be converted to nm"),
        ("0nm", "must be above 0, such as 3nm or 30angstrom, not '0nm'"),
        ("nm", "'nm' cannot be converted to nm; write a number with a unit"),
    ],
)
def test_length_needs_a_unit(text, message, usage_error_of):
    assert message in usage_error_of("nanocrystal", "PbS", "--diameter", text, "-o", "x.xyz")
