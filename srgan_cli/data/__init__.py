"""Training data (``srgan prepare``): check images, make LR/HR pairs, store and read them."""
