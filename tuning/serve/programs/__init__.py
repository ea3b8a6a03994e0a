"""Answers for other programs, in the shape of OpenAI's API: `/v1/models` and `/v1/chat/completions`, by an owner's key."""
