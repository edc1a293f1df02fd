import resource
from pathlib import Path

import pytest
from PIL import Image
from sfm_scenes import POSES, write_photographs, write_posed_model

from gluestick.reconstruction.undistortion import undistort

pytest.importorskip("pycolmap")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_files_that_cannot_be_written_are_one_error_and_leave_nothing(
    tmp_path: Path, suffix: str
) -> None:
    photographs = write_photographs(tmp_path / "photographs")
    model = write_posed_model(tmp_path / "model", list(POSES))
    for path in photographs.glob("*.png"):
        Image.open(path).save(path.with_suffix(suffix))
    images = model / "images.txt"
    images.write_text(images.read_text().replace(".png", suffix))
    earlier = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, earlier[1]))
    try:
        with pytest.raises(ValueError, match=r"undistorting the photographs failed|truncated"):
            undistort(model, photographs, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ".out-new").exists()
    assert (undistort(model, photographs, tmp_path / "out") / "images" / f"0{suffix}").is_file()
