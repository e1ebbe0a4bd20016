"""Integer files on microcontrollers: run in TensorFlow Lite Micro, and written as C++ sources."""
