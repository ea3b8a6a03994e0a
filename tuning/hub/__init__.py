"""The only callers of huggingface_hub: models, data sets and adapters that are looked up and fetched, results that are pushed, jobs.

Which of it lies on this machine, and where, is `shelf`'s affair here too. What a person may do with it is the studio's.
"""

from tuning import settings

settings.keep_silent()
