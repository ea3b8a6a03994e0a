"""Of the stand-in for llama.cpp's converter: it knows no tokenizer by its hash."""


class TextModel:
    def get_vocab_base_pre(self, tokenizer):
        raise NotImplementedError
