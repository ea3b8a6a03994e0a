"""Plain text with a structure of its own: exports of chats, questions and answers, YAML."""
