from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gluestick.cli.pair.inputs import load_inputs

Files = dict[str, Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    for name, size in {"a.png": (60, 40), "b.png": (50, 30), "mask.png": (60, 40)}.items():
        Image.new("L", size, 200).save(tmp_path / name)
    np.save(tmp_path / "lines.npy", [[[0.0, 0.0], [49.0, 29.0]]])
    np.save(tmp_path / "far.npy", [[[0.0, 0.0], [55.0, 20.0]]])
    return {path.name: path for path in tmp_path.iterdir()}


def test_everything_is_read(files: Files) -> None:
    inputs = load_inputs(
        (files["a.png"], files["b.png"]), (files["mask.png"], None), (None, files["lines.npy"])
    )
    assert [image.shape for image in inputs.images] == [(3, 40, 60), (3, 30, 50)]
    options = inputs.options()
    assert options["mask0"].all()
    assert options["mask1"] is options["lines0"] is None
    assert options["lines1"].lines.shape == (1, 2, 2)


def test_messages_name_option_file_and_both_sizes(files: Files) -> None:
    images = files["a.png"], files["b.png"]
    with pytest.raises(ValueError, match=r"--mask1 .*mask\.png is 60 x 40 px .*b\.png 50 x 30 px"):
        load_inputs(images, (None, files["mask.png"]), (None, None))
    with pytest.raises(ValueError, match=r"--lines1 .*far\.npy .*\(55, 20\) px, .* 50 x 30 px"):
        load_inputs(images, (None, None), (None, files["far.npy"]))
    missing = files["a.png"].with_name("missing.npy")
    with pytest.raises(ValueError, match=r"--lines0: .*missing\.npy"):
        load_inputs(images, (None, None), (missing, None))
    with pytest.raises(ValueError, match=r"--mask0: .*missing\.npy"):
        load_inputs(images, (missing, None), (None, None))
