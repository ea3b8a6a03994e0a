"""What a wheel holds: the package `tuning` with its words, profiles and styles, and presets/ as `tuning_presets` beside it.

All the rest stands in pyproject.toml. The packages are here because only here what is found can be told together with what is named.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["tuning", "tuning.*"]), "tuning_presets"],
    package_dir={"tuning_presets": "presets"},
    package_data={"tuning": ["py.typed", "**/*.yaml", "**/*.json", "**/*.css", "**/*.html", "**/*.txt"], "tuning_presets": ["**/*"]},
    exclude_package_data={"": ["**/__pycache__/*"]},
    include_package_data=False,
)
