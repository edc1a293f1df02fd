import os
from pathlib import Path

import pytest

from gluestick.cli.outputs import check_output


def test_a_folder_to_be_made_is_fine_and_not_made(tmp_path: Path) -> None:
    check_output(tmp_path / "new" / "folder", ("a.npz",))
    check_output(tmp_path, ("a.npz",))
    assert [*tmp_path.iterdir()] == []


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match=r"--output .*file.* is not one"):
            check_output(folder, ())
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(ValueError, match=r"a\.npz is a folder where"):
        check_output(tmp_path, ("a.npz",))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_others_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="cannot be written to"):
        check_output(tmp_path / "new", ())
