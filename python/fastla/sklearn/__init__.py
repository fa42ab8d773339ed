"""Estimators in scikit-learn's shape, by fastla.decomposition and fastla.cluster: the same parameters,
attributes and errors."""

try:
    import sklearn as _needed  # noqa: F401
except ImportError:
    raise ImportError("fastla.sklearn needs scikit-learn: pip install 'fastla[sklearn]'") from None

from ._incremental_pca import IncrementalPCA
from ._kmeans import KMeans
from ._pca import PCA
from ._spectral_clustering import SpectralClustering
from ._truncated_svd import TruncatedSVD

__all__ = ["PCA", "IncrementalPCA", "KMeans", "SpectralClustering", "TruncatedSVD"]
