"""Random changes of light, colour and sharpness, as GlueStick was trained with.

The kinds, probabilities and ranges are those of glue-factory's "dark" augmentation, which
builds on albumentations; what each kind does follows the documentation of the latter.
"""

from dataclasses import dataclass

import cv2
import numpy as np

_RAIN_DARKENING = 0.7
_RAIN_BLUR = 7  # px
_RAIN_COLOR = (200, 200, 200)
_RAIN_DROP_LENGTH = 20  # px
_PIXELS_PER_DROP = 600
_SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])

_DEGRADATIONS = {"blur": 0.1, "motion_blur": 0.1, "noise": 0.5, "compression": 0.5}
_RECOLORINGS = {"equalize": 0.5, "clahe": 0.2, "gray": 0.5, "sepia": 0.1, "hue": 0.1}


@dataclass(frozen=True, kw_only=True)
class PhotometricChange:
    """A change of the pixel values that leaves everything where it is.

    Attributes:
        seed: For what is random within the change, such as the places of rain drops.
        rain: Whether it rains, which also darkens and blurs.
        brightness: What is added to values in [0, 1].
        contrast: Values are multiplied by one plus this.
        degradation: "blur", "motion_blur", "noise", "compression" or "".
        gamma: The exponent of values in [0, 1].
        recoloring: "equalize", "clahe", "gray", "sepia", "hue" or "".
        value_shift: With "hue": what is added to the brightest channel, in [0, 1].
    """

    seed: int = 0
    rain: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    degradation: str = ""
    gamma: float = 1.0
    recoloring: str = ""
    value_shift: float = 0.0

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Change an image.

        Args:
            image: [H, W, 3] uint8, RGB.

        Returns:
            [H, W, 3] uint8, RGB.
        """
        rng = np.random.default_rng(self.seed)
        if self.rain:
            image = _add_rain(image, rng)
        values = image / 255 * (1 + self.contrast) + self.brightness
        image = _to_bytes(values)
        image = _degraded(image, self.degradation, rng)
        if self.gamma != 1:
            image = _to_bytes((image / 255) ** self.gamma)
        return _recolored(image, self.recoloring, self.value_shift, rng)

    def tone(self, values: np.ndarray) -> np.ndarray:
        """Return what becomes of grey values [...] in [0, 1], as far as it is the same everywhere.

        Equalization, which depends on the image, is left out, and so are drops, blur and noise.
        """
        values = values * _RAIN_DARKENING if self.rain else values
        values = np.clip(values * (1 + self.contrast) + self.brightness, 0, 1) ** self.gamma
        return np.clip(values + self.value_shift, 0, 1)


def sample_photometric_change(
    rng: np.random.Generator, *, probability: float = 0.75
) -> PhotometricChange:
    """Draw a change.

    Args:
        rng: The source of randomness.
        probability: How likely it is in [0, 1] that anything changes at all.

    Returns:
        The change.
    """
    if rng.uniform() >= probability:
        return PhotometricChange()
    rain, relight, degrade, correct, recolor = rng.uniform(size=5) < (0.2, 0.5, 0.1, 0.1, 0.5)
    recoloring = _choice(rng, _RECOLORINGS) if recolor else ""
    return PhotometricChange(
        seed=int(rng.integers(2**32)),
        rain=bool(rain),
        brightness=rng.uniform(-0.4, 0) if relight else 0.0,
        contrast=rng.uniform(-0.3, 0) if relight else 0.0,
        degradation=_choice(rng, _DEGRADATIONS) if degrade else "",
        gamma=rng.uniform(0.15, 0.65) if correct else 1.0,
        recoloring=recoloring,
        value_shift=rng.uniform(-100, -40) / 255 if recoloring == "hue" else 0.0,
    )


def illumination_difference(change0: PhotometricChange, change1: PhotometricChange) -> float:
    """Return in [0, 1] how far apart two changes put the same grey values, on average."""
    values = np.linspace(0, 1, 256)
    return float(abs(change0.tone(values) - change1.tone(values)).mean())


def _choice(rng: np.random.Generator, weights: dict[str, float]) -> str:
    values = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=values / values.sum()))


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _add_rain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    slant = int(rng.integers(-10, 11))
    starts = rng.integers(0, (width, height), size=(height * width // _PIXELS_PER_DROP, 2))
    wet = image.copy()
    for x, y in starts.tolist():
        cv2.line(wet, (x, y), (x + slant, y + _RAIN_DROP_LENGTH), _RAIN_COLOR, 1)
    return _to_bytes(cv2.blur(wet, (_RAIN_BLUR, _RAIN_BLUR)) / 255 * _RAIN_DARKENING)


def _degraded(image: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    if kind == "blur":
        size = 2 * int(rng.integers(1, 5)) + 1
        return cv2.blur(image, (size, size))
    if kind == "motion_blur":
        return cv2.filter2D(image, -1, _motion_kernel(rng))
    if kind == "noise":
        return _add_sensor_noise(image, rng)
    if kind == "compression":
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(80, 101))]
        _, encoded = cv2.imencode(".jpg", image[..., ::-1], quality)
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[..., ::-1]
    return image


def _motion_kernel(rng: np.random.Generator) -> np.ndarray:
    """Return a line between two random cells of a square of 3 to 25 px, with sum 1."""
    size = 2 * int(rng.integers(1, 13)) + 1
    first, second = rng.choice(size * size, size=2, replace=False)
    kernel = np.zeros((size, size), np.float32)
    cv2.line(
        kernel,
        (int(first % size), int(first // size)),
        (int(second % size), int(second // size)),
        1,
    )
    return kernel / kernel.sum()


def _add_sensor_noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    intensity, color_shift = rng.uniform(0.1, 0.5), rng.uniform(0.01, 0.05)
    hls = cv2.cvtColor((image / 255).astype(np.float32), cv2.COLOR_RGB2HLS)
    lightness = hls[..., 1]
    noise = rng.poisson(lightness.std() * intensity * 255, size=lightness.shape) / 255
    hls[..., 0] = (
        hls[..., 0] + rng.normal(0, color_shift * 360 * intensity, lightness.shape)
    ) % 360
    hls[..., 1] = lightness + noise * (1 - lightness)
    return _to_bytes(cv2.cvtColor(hls, cv2.COLOR_HLS2RGB))


def _recolored(
    image: np.ndarray, kind: str, value_shift: float, rng: np.random.Generator
) -> np.ndarray:
    if kind == "equalize":
        return np.stack(
            [cv2.equalizeHist(np.ascontiguousarray(c)) for c in image.transpose(2, 0, 1)], -1
        )
    if kind == "clahe":
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        clahe = cv2.createCLAHE(clipLimit=rng.uniform(1, 4), tileGridSize=(8, 8))
        lab[..., 0] = clahe.apply(np.ascontiguousarray(lab[..., 0]))
        return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    if kind == "gray":
        return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if kind == "sepia":
        return _to_bytes(image / 255 @ _SEPIA.T)
    if kind == "hue":
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.int64)  # hue in [0, 180)
        hue, saturation = rng.integers(-20, 21), rng.integers(-30, 31)
        hsv += np.array([hue, saturation, round(value_shift * 255)])
        hsv[..., 0] %= 180
        return cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    return image
