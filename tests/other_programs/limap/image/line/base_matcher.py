from dataclasses import dataclass

import numpy as np


@dataclass
class BaseMatcherOptions:
    topk: int = 0
    n_jobs: int = 1


class BaseMatcher:
    def __init__(self, extractor, options):
        self.extractor = extractor
        self.topk = options.topk

    def match_all_exhaustive_pairs(self, image_ids, descinfo_folder):
        """Return what LIMAP keeps: for each image, the matches with each of the others."""
        found = {
            number: self.extractor.read_descinfo(descinfo_folder, number) for number in image_ids
        }
        return {
            one: {
                other: self.match_pair(found[one], found[other]).astype(np.uint32)
                for other in image_ids
                if other != one
            }
            for one in image_ids
        }
