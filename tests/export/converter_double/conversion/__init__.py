"""Of the stand-in for llama.cpp's converter."""
