import pytest
import torch

from gluestick.features.points.aliked import Aliked
from gluestick.features.points.disk import Disk
from gluestick.features.points.registry import (
    POINT_DETECTORS,
    PointDetectorConfig,
    build_point_detector,
)
from gluestick.features.points.sift import Sift
from gluestick.features.points.superpoint import SuperPoint
from gluestick.features.points.xfeat import XFeat
from gluestick.features.protocols import PointDetector


def test_the_default_is_aliked_with_its_weights():
    detector = build_point_detector(PointDetectorConfig())
    assert isinstance(detector, Aliked)
    assert detector.config.variant == "n16"
    assert not torch.equal(detector.network.conv1.weight, Aliked().network.conv1.weight)


def test_options_reach_the_detector():
    config = PointDetectorConfig(
        variant="n16rot", max_num_keypoints=None, detection_threshold=0.5, nms_radius=3
    )
    own = build_point_detector(config).config
    assert (own.variant, own.max_num_keypoints) == ("n16rot", None)
    assert (own.detection_threshold, own.nms_radius) == (0.5, 3)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("disk", Disk),
        ("xfeat", XFeat),
        ("superpoint", SuperPoint),
    ],
)
def test_weights_are_loaded_from_the_named_file(name, kind, tmp_path):
    torch.save(kind().network.state_dict(), tmp_path / "weights.pth")
    config = PointDetectorConfig(name=name, weights=str(tmp_path / "weights.pth"))
    detector = build_point_detector(config)
    assert isinstance(detector, kind)
    assert isinstance(detector, PointDetector)


def test_sift_needs_no_weights():
    assert isinstance(build_point_detector(PointDetectorConfig(name="sift")), Sift)


@pytest.mark.parametrize("name", ["disk", "superpoint"])
def test_missing_weights_say_which_option(name):
    with pytest.raises(ValueError, match=f"{name} needs a file of weights: set weights"):
        build_point_detector(PointDetectorConfig(name=name))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sift", {"variant": "n16"}),
        ("sift", {"weights": "sift.pth"}),
        ("disk", {"variant": "depth"}),
    ],
)
def test_unsupported_options_are_errors(name, options):
    with pytest.raises(ValueError, match=f"{name} has no option {next(iter(options))}"):
        build_point_detector(PointDetectorConfig(name=name, **options))


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match="no point detector 'orb'; there are: aliked, disk"):
        build_point_detector(PointDetectorConfig(name="orb"))
    with pytest.raises(ValueError, match="variant"):
        build_point_detector(PointDetectorConfig(variant="n17"))
    with pytest.raises(ValueError, match="variant"):
        build_point_detector(PointDetectorConfig(name="xfeat", variant="star"))


def test_missing_file_is_an_error():
    with pytest.raises(ValueError, match=r"no checkpoint file .*nowhere\.pth"):
        build_point_detector(PointDetectorConfig(name="disk", weights="nowhere.pth"))


def test_every_name_can_be_built():
    assert set(POINT_DETECTORS) == {"aliked", "disk", "xfeat", "sift", "superpoint"}
