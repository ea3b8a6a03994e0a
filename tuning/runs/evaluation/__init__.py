"""The figures of an evaluation, and what they say together: pure functions. What is measured, and when, is the engine's business."""
