"""What only pretrained models show; see `test_real`."""
