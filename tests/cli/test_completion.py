"""Verb completion: the scripts complete verbs and names of records."""

import shutil
import subprocess

import pytest

from qdsurf.cli.parser import SHELLS

# Commands that print what the shell offers after `qdsurf slab CsPbBr3-P`; the first argument is the script.
COMPLETE_MATERIAL = {
    "bash": "source $0; COMP_WORDS=(qdsurf slab CsPbBr3-P); COMP_CWORD=2; _shtab_qdsurf; echo ${COMPREPLY[@]}",
    "fish": "source $argv[1]; complete -C 'qdsurf slab CsPbBr3-P'",
}


@pytest.mark.parametrize("shell", COMPLETE_MATERIAL)
def test_shell_completes_names_of_records(shell, run, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(run("completion", shell))
    command = [shell, "-c", COMPLETE_MATERIAL[shell], tmp_path / "script"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split()[0] == "CsPbBr3-Pnma" and result.stderr == ""


def test_completion_is_written_for_every_shell(run, run_json):
    for shell in SHELLS:
        assert run_json("completion", shell)["script"].strip() == run("completion", shell).strip()
    assert run("completion", "zsh").startswith("#compdef qdsurf")
