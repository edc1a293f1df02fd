import inspect
from importlib import import_module
from typing import ClassVar

import torch


class BaseModel(torch.nn.Module):
    default_conf: ClassVar[dict] = {}
    required_inputs: tuple = ()

    def __init__(self, conf):
        super().__init__()
        self.conf = dict(self.default_conf) | dict(conf)
        self._init(self.conf)

    def forward(self, data):
        lacking = [name for name in self.required_inputs if name not in data]
        assert not lacking, lacking
        return self._forward(data)


def model_class(package, name):
    """Return the only model that a module of the package defines itself."""
    module = import_module(f"{package.__name__}.{name}")
    (found,) = [
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if value.__module__ == module.__name__ and issubclass(value, BaseModel)
    ]
    return found
