from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from gluestick.pipeline import PointLineMatcher


@pytest.fixture(scope="module")
def paths(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Two photographs at half their size, by LIMAP's number."""
    folder = tmp_path_factory.mktemp("photographs")
    found = {3: folder / "a.png", 8: folder / "b.png"}
    for path in found.values():
        with Image.open(assets / f"leuven_{path.stem}.jpg") as image:
            image.resize((375, 281)).save(path)
    return found


@pytest.fixture
def bridge(other_programs: Path, small_matcher: PointLineMatcher) -> SimpleNamespace:
    extractors = import_module("gluestick.bridges.limap.extractor")
    matchers = import_module("gluestick.bridges.limap.matcher")
    options = import_module("limap.image.line.base_matcher").BaseMatcherOptions
    extractor = extractors.GlueStickLineExtractor(small_matcher)

    def matcher(topk: int):
        return matchers.GlueStickLineMatcher(extractor, options(topk=topk))

    return SimpleNamespace(extractor=extractor, matcher=matcher)


def test_limap_describes_and_matches_lines(
    bridge: SimpleNamespace,
    paths: dict[int, Path],
    small_matcher: PointLineMatcher,
    tmp_path: Path,
) -> None:
    extractor = bridge.extractor
    segments = {number: extractor.detect(path) for number, path in paths.items()}
    wireframes = [small_matcher.extract(path) for path in paths.values()]
    detected = wireframes[0].detected_lines[0].reshape(-1, 4) + 0.5
    np.testing.assert_allclose(segments[3][:, :4], detected, atol=1e-4)
    np.testing.assert_allclose(segments[3][:, 4], wireframes[0].line_scores[0], atol=1e-6)

    folder = extractor.extract_all_images(tmp_path, paths, segments)
    found = bridge.matcher(0).match_all_exhaustive_pairs(list(paths), folder)
    expected = small_matcher.match(*wireframes)
    partners = expected.line_matches0[0].numpy()
    own = np.full(len(partners), -1)
    own[found[3][8][:, 0]] = found[3][8][:, 1]
    assert (partners > -1).sum() > 5
    assert (own == partners).mean() > 0.9  # lines of one's own are scored anew

    many = bridge.matcher(10).match_all_exhaustive_pairs(list(paths), folder)[3][8]
    assert len(many) > len(found[3][8])
    assert np.bincount(many[:, 0]).max() <= 10
    assert bridge.matcher(0).check_compatibility(extractor)
    assert not bridge.matcher(0).check_compatibility(object())


def test_matches_have_scores(bridge: SimpleNamespace, paths: dict[int, Path]) -> None:
    segments, first = bridge.extractor.detect_and_extract(paths[3])
    fewer = bridge.extractor.sample_descinfo_by_indexes(first, [4, 2])
    assert first["image_shape"].tolist() == [281, 375]
    pairs, scores = bridge.matcher(0).match_pair_with_scores(fewer, first)
    assert pairs.tolist() == [[0, 4], [1, 2]]
    assert (scores > 0.5).all()
    many, likely = bridge.matcher(1).match_pair_with_scores(fewer, first)
    assert many.tolist() == pairs.tolist()
    assert (likely > 0.9).all()
    assert segments.shape == (40, 5)


def test_junctions_have_limaps_names(bridge: SimpleNamespace, paths: dict[int, Path]) -> None:
    _, descinfo = bridge.extractor.detect_and_extract(paths[3])
    ends = descinfo["junctions"][descinfo["lines_junc_idx"]]
    assert ends.shape == descinfo["lines"].shape == (40, 2, 2)
    assert np.linalg.norm(ends - descinfo["lines"], axis=-1).max() < 6
    assert descinfo["junc_desc"].shape == (128, len(descinfo["junctions"]))
    assert descinfo["junc_scores"].shape == (len(descinfo["junctions"]),)


def test_a_damaged_descinfo_is_named(bridge: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "descinfo_7.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"descinfo_7.npz cannot be read as the descinfo"):
        bridge.extractor.read_descinfo(tmp_path, 7)
    with pytest.raises(ValueError, match="a wireframe needs"):
        bridge.matcher(0).match_pair({"lines": np.zeros((0, 2, 2))}, {})


def test_without_limap_it_says_how_to_get_it(no_programs: None) -> None:
    with pytest.raises(ImportError, match=r"pip install pylimap==2.0.0"):
        import_module("gluestick.bridges.limap.extractor")
