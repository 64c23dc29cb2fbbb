"""HTTP: one package per feature, each with a blueprint `bp` in its `routes.py`."""

import pkgutil
from importlib import import_module

from flask import Blueprint

ALL: tuple[Blueprint, ...] = tuple(
    import_module(f"{__name__}.{module.name}.routes").bp for module in pkgutil.iter_modules(__path__)
)
