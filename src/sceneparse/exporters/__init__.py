"""Models as files for other programs: ONNX with everything from pixels to mask inside."""
