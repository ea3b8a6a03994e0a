"""What a model learns from: uploads become rows of messages in one normal form, below home/data/.

It does not know models, tokens or training. `ingest.ingest` takes data in, `library.Library` keeps it.
"""
