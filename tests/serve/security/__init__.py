"""One test for each class of advisory that web apps of this kind have had, over real HTTP; `test_classes.py` names them all."""
