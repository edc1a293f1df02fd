from dataclasses import dataclass

import numpy as np


@dataclass
class Line2d:
    start: np.ndarray
    end: np.ndarray
