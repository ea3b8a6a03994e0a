"""ASGI beside the page: who may send what, and in which language the page comes. No Gradio here."""
