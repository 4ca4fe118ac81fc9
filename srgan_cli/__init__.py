"""srgan: train super-resolution networks on photographs, and enlarge pictures with them."""

__version__ = "0.1.0"
