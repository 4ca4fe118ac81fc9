"""The architectures that srgan knows, each in a file of its own, named here and nowhere else."""

from srgan_cli.engine.networks.base import Network
from srgan_cli.engine.networks.dense import DenseNetwork
from srgan_cli.engine.networks.layered import LayerNetwork
from srgan_cli.engine.networks.msrresnet import MSRResNet
from srgan_cli.engine.networks.onnx_network import OnnxNetwork
from srgan_cli.engine.networks.plain import PlainNetwork
from srgan_cli.engine.networks.span import SpanNetwork
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact

ARCHITECTURES: tuple[type[Network], ...] = (
    DenseNetwork,
    PlainNetwork,
    SRVGGNetCompact,
    MSRResNet,
    SpanNetwork,
    LayerNetwork,
    OnnxNetwork,
)
"""In the order in which the owner of a file's parameters is looked for."""


def make_generator(config: object) -> Network:
    """Build a generator to train, with the numbers that training starts from.

    Args:
        config: Sizes, such as :func:`srgan_cli.config.preset` returns.

    Raises:
        TypeError: They are no architecture's.
    """
    for architecture in ARCHITECTURES:
        network = architecture.for_training(config)
        if network is not None:
            return network
    raise TypeError(f"no architecture has the sizes {config!r}")
