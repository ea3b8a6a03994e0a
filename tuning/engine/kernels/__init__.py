"""Ways of computing that replace a library's own, each tried before it is used."""
