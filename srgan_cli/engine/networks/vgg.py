"""VGG features for the perceptual loss: bundled, downloaded, or from a file."""

import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from importlib.resources import as_file, files
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from srgan_cli.errors import ResourceError, UsageError, WeightsError
from srgan_cli.observer import Observer
from srgan_cli.paths import downloads_dir, file_sha256, written_beside
from srgan_cli.records import parse_json
from srgan_cli.typed import build

VGG16_FILE = "vgg16-relu3_3.safetensors"
VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
VGG19_LAST_CONV = 34  # conv5_4, as in SRGAN (Ledig et al. 2017, section 2.2.1).

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class VggFeatures(nn.Module):
    """The first layers of a VGG network, frozen.

    Args:
        tensors: Convolution parameters with torchvision's names, ``features.0.weight`` ….
            There may be fewer than the chosen layers need, down to the deepest of them.
        layers: Which layers are looked at, by the names of the literature: ``conv4_4`` is
            the fourth convolution of the fourth block, ``relu4_4`` the same after its ReLU.
            None of them: the last ReLU that the tensors suffice for.
        mean: Subtracted from R, G, B in [0, 1].
        std: Divides the difference.

    Raises:
        WeightsError: The tensors are not the first layers of a VGG16 or VGG19.
        UsageError: There is no layer of that name among them.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        layers: Sequence[str] = (),
        mean: tuple[float, float, float] = _IMAGENET_MEAN,
        std: tuple[float, float, float] = _IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.features = _matching_layers(tensors)
        self.load_state_dict({key: value.float() for key, value in tensors.items()})
        names = _layer_names(self.features)
        self._wanted = {_depth(name, names) for name in layers} or {len(self.features) - 1}
        del self.features[max(self._wanted) + 1 :]
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map B, 3, H, W RGB images in [0, 1] to the features of each layer, deepest last."""
        features = (image - self.mean) / self.std
        found = []
        for depth, layer in enumerate(self.features):
            features = layer(features)
            if depth in self._wanted:
                found.append(features)
        return found


def _layer_names(layers: nn.Sequential) -> list[str]:
    """Name each layer as the literature does."""
    names, block, place = [], 1, 0
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            place += 1
        kind = {nn.Conv2d: "conv", nn.ReLU: "relu", nn.MaxPool2d: "pool"}[type(layer)]
        names.append(f"{kind}{block}_{place}")
        if kind == "pool":
            block, place = block + 1, 0
    return names


def _depth(name: str, names: list[str]) -> int:
    if name not in names:
        known = ", ".join(known for known in names if known.startswith("relu"))
        raise UsageError(
            f"--perceptual-layers: these VGG weights have no layer {name}",
            hint=f"choose from {known}, or the same names with conv",
        )
    return names.index(name)


def _matching_layers(tensors: Mapping[str, Tensor]) -> nn.Sequential:
    # torchvision takes most of a second to import; only training needs it.
    from torchvision.models.vgg import cfgs, make_layers

    shapes = {key: value.shape for key, value in tensors.items()}
    for plan in ("D", "E"):  # VGG16 and VGG19 in the paper's table.
        layers = make_layers(cfgs[plan])
        for layer in layers:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # It would overwrite the convolution's features.
        for depth, layer in enumerate(layers):
            if not isinstance(layer, nn.Conv2d):
                continue
            prefix: nn.Sequential = layers[: depth + 2]
            if shapes == {f"features.{k}": v.shape for k, v in prefix.state_dict().items()}:
                return prefix
    raise WeightsError(
        "the perceptual weights are not the first layers of a VGG16 or VGG19",
        hint="use torchvision's names and shapes: features.0.weight, features.0.bias …",
    )


def load_perceptual(
    spec: str, observer: Observer, layers: Sequence[str] = ()
) -> VggFeatures | None:
    """Return the feature network that ``--perceptual`` names.

    Args:
        spec: ``vgg16`` (relu3_3 of the original VGG16, bundled), ``vgg19`` (relu5_4 of
            torchvision's, downloaded once), ``none``, or a safetensors file.
        observer: Shows the download.
        layers: Names as of :class:`VggFeatures`; the deepest when none is given.

    Raises:
        WeightsError: The file cannot be used.
        UsageError: The network has no layer of that name.
        ResourceError: The weights cannot be downloaded.
    """
    match spec:
        case "none":
            return None
        case "vgg16":
            with as_file(files("srgan_cli") / "weights" / VGG16_FILE) as path:
                return _from_safetensors(path, layers)
        case "vgg19":
            path = fetch_vgg19(observer)
            try:
                tensors = torch.load(path, map_location="cpu", weights_only=True)
                convolutions = _first_convs(tensors, VGG19_LAST_CONV)
            except Exception as error:  # Unpickling fails in many ways; none of them runs code.
                raise WeightsError(
                    f"{path}: cannot be read", hint="delete it; it will be downloaded again"
                ) from error
            return VggFeatures(convolutions, layers)
        case _:
            return _from_safetensors(Path(spec), layers)


def _first_convs(tensors: Mapping[str, object], last: int) -> dict[str, Tensor]:
    wanted = {f"features.{i}" for i in range(last + 1)}
    return {
        key: value
        for key, value in tensors.items()
        if key.rpartition(".")[0] in wanted and isinstance(value, Tensor)
    }


def _from_safetensors(path: Path, layers: Sequence[str]) -> VggFeatures:
    hint = "use vgg16, vgg19, none, or a safetensors file with VGG weights"
    if not path.is_file():
        raise WeightsError(f"--perceptual {path}: no such file", hint=hint)
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        mean, std = (
            _per_channel(header, name, default)
            for name, default in (("mean", _IMAGENET_MEAN), ("std", _IMAGENET_STD))
        )
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise WeightsError(f"--perceptual {path}: {error}", hint=hint) from error
    return VggFeatures(tensors, layers, mean, std)


def _per_channel(
    header: Mapping[str, str], name: str, default: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Read three numbers that a weights file may state for R, G and B."""
    if name not in header:
        return default
    return build(tuple[float, float, float], parse_json(header[name]))


def fetch_vgg19(observer: Observer, url: str = VGG19_URL) -> Path:
    """Return torchvision's VGG19 weights, downloading them on first use.

    The file name carries the start of the content's SHA-256; a download that does
    not match it is discarded.

    Raises:
        ResourceError: There is no network, or what came is not the wanted file.
    """
    target = downloads_dir() / url.rpartition("/")[2]
    if target.is_file():
        return target
    wanted = target.stem.rpartition("-")[2]
    ways_out = f"pass --perceptual vgg16, which is bundled, or put the file at {target}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(target) as temporary:
            with (
                urllib.request.urlopen(url, timeout=30) as response,  # noqa: S310 - a constant
                temporary.open("wb") as file,
            ):
                size = int(response.headers.get("Content-Length", 0))
                with observer.bar("downloading VGG19", total=size, unit="B") as bar:
                    while chunk := response.read(1 << 20):
                        file.write(chunk)
                        bar.advance(len(chunk))
            if not file_sha256(temporary).startswith(wanted):
                raise ResourceError(
                    f"{url}: the download does not match its hash {wanted}", hint=ways_out
                )
    except (OSError, HTTPException) as error:
        reason = " ".join(str(getattr(error, "reason", None) or error).split())
        raise ResourceError(f"{url}: cannot be downloaded ({reason})", hint=ways_out) from error
    return target
