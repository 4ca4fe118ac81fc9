"""The array types, each declared once. Shapes and ranges stand where an array is named."""

import numpy as np
import numpy.typing as npt

Uint8Image = npt.NDArray[np.uint8]
"""Levels from 0 to 255: H, W (grey) or H, W, C."""
Uint16Image = npt.NDArray[np.uint16]
"""Levels from 0 to 65535: H, W (grey) or H, W, C."""
ImageArray = npt.NDArray[np.uint8 | np.uint16]
"""An image as a file holds it, with 8 or 16 bits per channel."""
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
"""What selects elements of other arrays."""
Levels = Uint8Image | Float64Array
"""Levels from 0 to 255; float64 where an upscaling has not been rounded yet."""
