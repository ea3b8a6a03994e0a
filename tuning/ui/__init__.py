"""The page: a form that makes specs and a view that reads folders. The only importer of gradio, with `app`."""

from tuning import settings

settings.keep_silent()
