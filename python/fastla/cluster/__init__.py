"""Clustering made of products: k-means, graphs of nearest neighbours, spectral embedding and clustering."""

from ._affinity import rbf_affinity
from ._embedding import SpectralEmbedding, spectral_embedding
from ._kmeans import KMeansResult, kmeans
from ._laplacian import NormalizedLaplacian
from ._neighbors import NeighborGraph, knn_graph
from ._spectral import SpectralClusteringResult, spectral_clustering

__all__ = [
    "KMeansResult",
    "NeighborGraph",
    "NormalizedLaplacian",
    "SpectralClusteringResult",
    "SpectralEmbedding",
    "kmeans",
    "knn_graph",
    "rbf_affinity",
    "spectral_clustering",
    "spectral_embedding",
]
