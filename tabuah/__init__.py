"""The shared vocabulary of tabuah: what is measured, what is reported, how it travels."""

__version__ = "0.1.0"
