from pathlib import Path

import numpy as np
import pytest
from training.photographs import write_photographs
from typer.testing import CliRunner

from gluestick.cli import app
from gluestick.datasets.photograph_pool import PhotographPool
from gluestick.datasets.posed.depth_views import list_depth_pairs
from gluestick.datasets.worlds import PlanarWorlds, PlanarWorldsConfig


def test_worlds_are_written_as_posed_pairs(tmp_path: Path) -> None:
    photographs = write_photographs(tmp_path / "photographs", number=4)
    result = CliRunner().invoke(
        app,
        [
            *("worlds", str(photographs), "width=96", "height=72", "supersampling=1"),
            *("--num-pairs", "2", "--output", str(tmp_path / "worlds")),
        ],
    )
    assert result.exit_code == 0, result.output
    found = list_depth_pairs(tmp_path / "worlds")
    assert [pair.name for pair in found] == [
        "000000_0.png|000000_1.png",
        "000001_0.png|000001_1.png",
    ]
    config = PlanarWorldsConfig(width=96, height=72, supersampling=1)
    made = PlanarWorlds(PhotographPool.in_folder(photographs), config).make(1)
    stored = found[1]
    assert abs(stored.view1.load_image() - made.image1).max() < 0.51 / 255
    np.testing.assert_allclose(stored.view1.read_depth(), made.depth1, atol=6e-4)
    np.testing.assert_allclose(stored.view0.camera.K, made.K0, rtol=1e-6)
    np.testing.assert_allclose(stored.pose_0to1.R, made.R_0to1, atol=1e-6)
    np.testing.assert_allclose(stored.pose_0to1.t, made.t_0to1, atol=1e-6)


@pytest.mark.parametrize("setting", ["width=0", "breadth=3"])
def test_settings_that_do_not_fit(setting: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["worlds", str(tmp_path), setting])
    assert result.exit_code == 2
