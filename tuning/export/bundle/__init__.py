"""A run to be trained again without this project: its settings and rows, and a plain script over trl and peft. No model is loaded here."""
