import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from strange_images import write_strange

from gluestick.export import read_matches_npz
from gluestick.web.choices import Choices
from gluestick.web.limits import Limits
from gluestick.web.matching import MatchingService
from gluestick.web.photographs import sort_out

QUICK = Choices(max_num_keypoints=128, max_num_lines=40, resize=320)


def test_all_pairs_are_matched_into_files(
    service: MatchingService, small: Callable[[str], Path], tmp_path: Path, assets: Path
) -> None:
    paths = [small("leuven_a.jpg"), small("leuven_b.jpg")]
    paths.append(write_strange(tmp_path, "half.jpg", assets))
    photographs, _ = sort_out(paths, Limits())
    told: list[tuple[int, int]] = []
    folder = tmp_path / "results"
    folder.mkdir()
    outcome = service.match_all(
        photographs, QUICK, folder, on_pair=lambda *counts: told.append(counts)
    )
    assert told == [(0, 3), (1, 3), (2, 3)]
    good, *bad = outcome.pairs
    assert good.names == ("leuven_a.jpg", "leuven_b.jpg")
    assert good.record is not None
    assert good.record["trusted"]
    for pair in bad:
        assert pair.record is None
        assert pair.fault.startswith("the image half.jpg is damaged")
        assert pair.file("matches.npz") is None
    written = json.loads((good.folder / "run.json").read_text())
    assert [image["path"] for image in written["images"]] == ["leuven_a.jpg", "leuven_b.jpg"]
    assert str(tmp_path) not in (good.folder / "run.json").read_text()
    assert {*written["files"]} == {path.name for path in good.folder.iterdir()}
    assert good.file("overlay.png") is not None
    matches = read_matches_npz(good.folder / "matches.npz")
    assert np.asarray(matches["matches0"]).size > 0
    with zipfile.ZipFile(outcome.archive) as archive:
        assert {*archive.namelist()} == {f"1-2/{name}" for name in written["files"]}


def test_no_further_pair_is_begun_when_the_time_is_over(tmp_path: Path) -> None:
    service = MatchingService(
        device=torch.device("cpu"), threads=1, limits=Limits(max_seconds=-1.0)
    )
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for path in paths:
        Image.new("RGB", (40, 40)).save(path)
    photographs, _ = sort_out(paths, Limits())
    outcome = service.match_all(photographs, QUICK, tmp_path)
    assert [pair.names for pair in outcome.pairs] == [("a.png", "b.png")]
    assert outcome.left_out == 2
    assert outcome.pairs[0].record is not None
    assert not outcome.pairs[0].record["trusted"]


@pytest.mark.parametrize("count", [0, 1, 9])
def test_two_to_eight_photographs_are_needed(
    service: MatchingService, small: Callable[[str], Path], tmp_path: Path, count: int
) -> None:
    photographs, _ = sort_out([small("leuven_a.jpg")] * count, Limits(max_photographs=9))
    with pytest.raises(ValueError, match=f"drop two to 8 photographs, found {count}"):
        service.match_all(photographs, QUICK, tmp_path)
