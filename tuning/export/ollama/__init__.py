"""A GGUF file into Ollama: handed to the one that answers on this machine, or in a folder for a machine where another one is."""
