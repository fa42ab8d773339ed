"""Products on NVIDIA GPUs by kernels in Numba (extra ``fastla[cuda]``).

Kernels are there so far, and are tested without a GPU: in an emulator, for their bits, and as machine code.
Nothing launches them yet.
"""
