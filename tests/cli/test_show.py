"""Verb show: pictures of structures."""

from qdsurf.cli import main


def test_show_draws_a_picture(tmp_path, capsys):
    assert main(["slab", "PbS", "100", "--layers", "2", "-o", str(tmp_path / "slab.xyz")]) == 0
    assert main(["show", str(tmp_path / "slab.xyz"), "-o", str(tmp_path / "slab.png")]) == 0
    assert (tmp_path / "slab.png").read_bytes().startswith(b"\x89PNG")
    assert main(["show", str(tmp_path / "slab.xyz"), "-o", str(tmp_path / "slab.pdf")]) == 2
    assert "written as .svg or .png" in capsys.readouterr().err
