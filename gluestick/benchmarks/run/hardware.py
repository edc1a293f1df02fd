"""What a matcher runs on, as runs record it."""

import torch


def device_name(device: torch.device) -> str:
    """Return the name of a GPU's model, or the kind of another device, such as ``cpu``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
