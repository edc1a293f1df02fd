from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gluestick.reconstruction.pairs.retrieval import (
    PhotographDescriptors,
    RetrievalConfig,
    similar_photographs,
)

CONFIG = RetrievalConfig(num_words=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    """Two photographs of each of two scenes, one turned, a blank one and a damaged one."""
    photographs = tmp_path_factory.mktemp("photographs")
    for scene in ("leuven", "graffiti"):
        for letter in "ab":
            with Image.open(assets / f"{scene}_{letter}.jpg") as image:
                turned = image.rotate(90, expand=True) if letter == "b" else image
                turned.thumbnail((320, 320))
                turned.save(photographs / f"{scene}_{letter}.png")
    Image.new("RGB", (60, 40), "white").save(photographs / "blank.png")
    (photographs / "damaged.png").write_bytes(b"no image")
    return photographs


NAMES = ["blank.png", "damaged.png", "graffiti_a.png", "graffiti_b.png", "leuven_a.png"]


def test_photographs_of_one_scene_are_similar_also_turned(folder: Path, tmp_path: Path) -> None:
    names = [*NAMES, "leuven_b.png"]
    with PhotographDescriptors(tmp_path / "r.h5", folder, config=CONFIG) as described:
        descriptors = described.describe(names)
    assert descriptors.shape == (6, 16 * 128)
    assert not descriptors[:2].any()
    np.testing.assert_allclose(np.linalg.norm(descriptors[2:], axis=1), 1, atol=1e-3)
    assert similar_photographs(descriptors, count=1) == [(2, 3), (4, 5)]
    assert similar_photographs(descriptors, count=9, rows=[2]) == [(2, 3), (2, 4), (2, 5)]
    assert similar_photographs(descriptors, count=9, apart=2) == [(2, 5)]


def test_what_was_described_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.h5"
    with PhotographDescriptors(path, folder, config=CONFIG) as described:
        first = described.describe(NAMES)
    read: list[str] = []
    original = PhotographDescriptors._local
    monkeypatch.setattr(
        PhotographDescriptors,
        "_local",
        lambda self, name: (read.append(name), original(self, name))[1],
    )
    with PhotographDescriptors(path, folder, config=CONFIG) as described:
        again = described.describe([*NAMES, "leuven_b.png"])
    assert read == ["leuven_b.png"]
    np.testing.assert_allclose(again[:5], first, atol=1e-3)


def test_descriptors_of_other_options_are_refused(folder: Path, tmp_path: Path) -> None:
    with PhotographDescriptors(tmp_path / "r.h5", folder, config=CONFIG) as described:
        described.describe(NAMES[2:3])
    other = PhotographDescriptors(tmp_path / "r.h5", folder, config=RetrievalConfig(num_words=8))
    with pytest.raises(ValueError, match="num_words"):
        other.__enter__()
