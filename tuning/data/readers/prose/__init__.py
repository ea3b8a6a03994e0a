"""Plain text with a structure of its own: exports of chats."""
