"""What Python's `sitecustomize` puts into a real process of a test: a module of ours, or of a library, that is spoilt as it is imported.

It says nothing of what is spoilt: that stands in the test, below `HOOK`.
"""

# `spoil(name, how)`: once the module of that name is imported, `how` is called with it.
HOOK = """
import importlib.abc, importlib.util, os, pathlib, sys, time

class Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name, how):
        self.name, self.how = name, how
    def find_spec(self, name, path, target=None):
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            self.how(module)
        spec.loader.exec_module = exec_module
        return spec

def spoil(name, how):
    sys.meta_path.insert(0, Finder(name, how))
"""
