from importlib import import_module, reload
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from hloc_steps import read_keypoints, read_pairs, store_features, store_matches
from sfm_scenes import ORDERS, keypoints, write_features
from sfm_scenes import matches as true_matches
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gluestick.pipeline import PointLineMatcher
from gluestick.types import Matches, Wireframe

FEW = {"max_num_keypoints": 128, "max_num_lines": 40}


@pytest.fixture
def bridge(other_programs: Path) -> SimpleNamespace:
    """hloc's lookup of models after the one import, and what the bridge says."""
    module = import_module("gluestick.bridges.hloc")
    base = import_module("hloc.utils.base_model")
    extractors, matchers = import_module("hloc.extractors"), import_module("hloc.matchers")

    def extractor(**conf: object):
        conf = module.FEATURES["model"] | FEW | conf
        return base.model_class(extractors, conf["name"])(conf).eval()

    def matcher(**conf: object):
        conf = module.MATCHES["model"] | conf
        return base.model_class(matchers, conf["name"])(conf).eval()

    return SimpleNamespace(module=module, extractor=extractor, matcher=matcher)


@pytest.fixture(scope="module")
def images(leuven: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """The photographs at half their size, with even sides."""
    halves = [avg_pool2d(image[None], 2)[0] for image in leuven]
    return {
        f"db/{letter}.png": half[:, : half.shape[1] // 2 * 2, : half.shape[2] // 2 * 2]
        for letter, half in zip("ab", halves, strict=True)
    }


@pytest.fixture(scope="module")
def expected(
    images: dict[str, Tensor], small_matcher: PointLineMatcher
) -> tuple[Wireframe, Wireframe, Matches]:
    """What the pipeline finds without hloc."""
    wireframe0, wireframe1 = (small_matcher.extract(image) for image in images.values())
    return wireframe0, wireframe1, small_matcher.match(wireframe0, wireframe1)


def test_hloc_finds_both_models_once(bridge: SimpleNamespace) -> None:
    reload(bridge.module)
    extractors = import_module("hloc.extractors")
    assert len(extractors.__path__) == 2
    assert bridge.extractor().__class__.__module__ == "hloc.extractors.gluestick"
    assert bridge.matcher().__class__.__module__ == "hloc.matchers.gluestick"


def test_files_of_hloc_hold_what_the_pipeline_finds(
    bridge: SimpleNamespace,
    images: dict[str, Tensor],
    expected: tuple[Wireframe, Wireframe, Matches],
    tmp_path: Path,
) -> None:
    features, matches = tmp_path / "features.h5", tmp_path / "matches.h5"
    store_features(features, bridge.extractor(), images)
    name0, name1 = images
    store_matches(matches, bridge.matcher(), features, name0, name1)
    found, noise = read_keypoints(features, name0)
    np.testing.assert_allclose(found, expected[0].keypoints[0], atol=1e-4)
    assert noise == 1
    partners = expected[2].matches0[0].numpy()
    pairs, scores = read_pairs(matches, name0, name1)
    assert len(pairs) > 40
    same = (partners[pairs[:, 0]] == pairs[:, 1]).mean()  # descriptors in half precision
    assert same > 0.95
    assert (scores > 0).all()
    assert (read_pairs(matches, name1, name0)[0] == pairs[:, ::-1]).all()


def test_lines_match_as_without_files(
    bridge: SimpleNamespace,
    images: dict[str, Tensor],
    expected: tuple[Wireframe, Wireframe, Matches],
) -> None:
    extractor, matcher = bridge.extractor(), bridge.matcher(junctions=True)
    data = {}
    for side, image in enumerate(images.values()):
        found = extractor({"image": image[None]})
        data |= {f"{key}{side}": value.float() for key, value in found.items()}
        data[f"image_size{side}"] = data[f"seen_size{side}"]
    found = matcher(data)
    own = expected[2]
    assert own.junction_matches0 is not None
    assert (own.junction_matches0 > -1).sum() > 10
    both = torch.where(own.matches0 > -1, own.matches0, own.junction_matches0)
    assert torch.equal(found["matches0"], both)
    assert torch.equal(found["line_matches0"], own.line_matches0)
    assert (found["line_matches0"] > -1).sum() > 5
    torch.testing.assert_close(
        found["line_matching_scores0"], own.line_matching_scores0, atol=1e-4, rtol=0
    )


def test_lines_follow_keypoints_where_hloc_resized(
    bridge: SimpleNamespace, images: dict[str, Tensor], tmp_path: Path
) -> None:
    wireframes = import_module("gluestick.bridges.hloc.wireframes")
    features = tmp_path / "features.h5"
    name = "db/a.png"
    store_features(features, bridge.extractor(), {name: images[name]}, shrink=2, half=False)
    with h5py.File(features) as file:
        data = {
            f"{key}0": torch.from_numpy(np.asarray(value)).float()[None]
            for key, value in file[name].items()
        }
    wireframe = wireframes.wireframe_from_hloc(data, side=0)
    assert wireframe.image_size.tolist() == [list(images[name].shape[:0:-1])]
    assert wireframe.scales == (0.5,)
    apart = (wireframe.detected_lines - wireframe.lines).norm(dim=-1)  # ends and their junctions
    assert len(apart[0]) > 10
    assert apart.max() < 6
    assert read_keypoints(features, name)[1] == 2


def test_features_of_another_extractor_are_refused(bridge: SimpleNamespace) -> None:
    names = ("keypoints0", "descriptors0", "keypoints1", "descriptors1")
    with pytest.raises(ValueError, match="the matcher needs image_size, scores, num_junctions"):
        bridge.matcher()(dict.fromkeys(names, torch.zeros(1, 2, 2)))


def test_options_are_checked(bridge: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match=r"the options are model, .*, found keypoints"):
        bridge.extractor(keypoints=3)


def test_exported_files_are_read_as_hlocs_own(tmp_path: Path) -> None:
    features, matches = write_features(tmp_path)
    name0, name1 = list(ORDERS)[:2]
    found, noise = read_keypoints(features, name0)
    np.testing.assert_allclose(found, keypoints(name0), atol=1e-4)
    assert found.dtype == np.float32
    assert noise == 1
    for one, other in ((name0, name1), (name1, name0)):
        pairs, scores = read_pairs(matches, one, other)
        assert len(pairs) > 100
        assert (true_matches(one, other)[pairs[:, 0]] == pairs[:, 1]).all()
        assert (scores == 1).all()


def test_without_hloc_it_says_how_to_get_it(no_programs: None) -> None:
    with pytest.raises(ImportError, match=r"needs hloc.extractors, .*install hloc"):
        import_module("gluestick.bridges.hloc")
