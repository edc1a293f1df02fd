"""As much of vismatch as the bridge calls, written from its contract."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image


class BaseMatcher(torch.nn.Module):
    def __init__(self, device="cpu", **options):
        super().__init__()
        self.device = device
        self.ransac_reproj_thresh = options.pop("ransac_reproj_thresh", 3)
        assert not options, options

    @torch.inference_mode()
    def forward(self, img0, img1):
        outputs = self._forward(*(self.as_tensor(image) for image in (img0, img1)))
        assert len(outputs) == 7
        names = (
            "matched_kpts0",
            "matched_kpts1",
            "all_kpts0",
            "all_kpts1",
            "all_desc0",
            "all_desc1",
        )
        *arrays, confidences = (output.cpu().numpy() for output in outputs)
        result = dict(zip(names, arrays, strict=True))
        for name, array in result.items():
            assert array.ndim == 2
            assert "kpts" not in name or array.shape[1] == 2
        for side in "01":
            assert len(result[f"all_kpts{side}"]) == len(result[f"all_desc{side}"])
            result[f"inlier_kpts{side}"] = np.empty((0, 2))
        assert result["matched_kpts0"].shape == result["matched_kpts1"].shape
        assert confidences.shape == (len(result["matched_kpts0"]),)
        return result | {"num_inliers": 0, "H": None, "matched_confidences": confidences}

    @staticmethod
    def as_tensor(image):
        if isinstance(image, str | Path):
            pixels = np.asarray(Image.open(image).convert("RGB"), np.float32) / 255
            image = pixels.transpose(2, 0, 1)
        return torch.as_tensor(image)
