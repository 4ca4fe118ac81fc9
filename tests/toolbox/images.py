"""Images to work on."""

import numpy as np
import numpy.typing as npt


def synthetic_photograph(width: int, height: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return H, W, 3 pixels with what photographs have: slow gradients, sharp edges, texture."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    light = random.uniform(60, 120, 3) + random.uniform(40, 90, 3) * x[..., None]
    image = light + random.uniform(-40, 40, 3) * y[..., None]
    for _ in range(6):  # Discs in colours of their own: edges in every direction.
        centre_x, centre_y, radius = random.uniform(0, 1, 3) * (1, height / max(height, width), 0.3)
        inside = (x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2
        image[inside] = 0.3 * image[inside] + random.uniform(0, 180, 3)
    for _ in range(4):  # Gratings, fading out: fabric, foliage, brickwork.
        angle, frequency = random.uniform(0, np.pi), random.uniform(10, 60)
        wave = np.sin(2 * np.pi * frequency * (x * np.cos(angle) + y * np.sin(angle)))
        image += (10 * wave * random.uniform(0, 1) * x)[..., None]
    image += random.normal(0, 2, image.shape)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
