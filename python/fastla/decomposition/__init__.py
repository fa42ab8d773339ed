"""PCA and the SVD family: answers that state their errors, from dense, sparse and streamed matrices.

Every product in it is fastla's; numpy.linalg factorises what is small.
"""

__all__: list[str] = []
