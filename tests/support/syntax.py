"""Parse modules of Python in tests that read code."""

from __future__ import annotations

import ast
import gc
from pathlib import Path


def syntax_tree(path: Path) -> ast.Module:
    """Return the syntax tree of a module.

    Garbage is not collected meanwhile: where a finalizer parses something too, CPython 3.11 raises SystemError, "AST
    constructor recursion depth mismatch" (python/cpython#106905).
    """
    text = path.read_text()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        gc.enable()
