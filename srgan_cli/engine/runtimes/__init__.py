"""What runs a network: PyTorch, ncnn or ONNX Runtime.

``operations.py`` notes what a network does; the forms for ncnn and ONNX are written from that list;
``fastest.py`` chooses, and compares results before it trusts one.
"""
