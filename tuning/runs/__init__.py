"""What did happen: run folders, their locks, their checkpoints and the queue. No torch, no gradio."""
