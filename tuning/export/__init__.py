"""Taking a result away. Light forms first: nothing here loads a model unless a form needs it."""

from tuning import settings

settings.keep_silent()
