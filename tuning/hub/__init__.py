"""The only callers of huggingface_hub: models and data sets, looked up and fetched."""

from tuning import settings

settings.keep_silent()
