"""The runtimes that execute a network: PyTorch, ncnn, ONNX Runtime and OpenVINO.

``operations.py`` traces a network to a list of operations, ``ncnn_form.py`` and ``onnx_form.py``
write that list in their formats, and ``fastest.py`` chooses a runtime and checks its results.
"""
