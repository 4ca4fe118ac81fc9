"""srgan: train super-resolution networks on photographs, and upscale images with them."""

__version__ = "0.1.0"
