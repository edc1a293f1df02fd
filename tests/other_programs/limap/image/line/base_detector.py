from dataclasses import dataclass
from pathlib import Path


@dataclass
class BaseDetectorOptions:
    max_num_2d_segs: int = 3000
    weight_path: Path | None = None


class BaseDetector:
    def __init__(self, options):
        self.max_num_2d_segs = options.max_num_2d_segs

    def get_descinfo_folder(self, output_folder):
        return output_folder / "descinfos" / self.get_module_name()

    def extract_all_images(self, output_folder, image_paths, all_2d_segs):
        folder = self.get_descinfo_folder(output_folder)
        folder.mkdir(parents=True)
        for number, path in image_paths.items():
            self.save_descinfo(folder, number, self.extract(path, all_2d_segs[number]))
        return folder
