"""scikit-learn's tests of its own estimator, of ours."""

from scikit_suite import tests_of

globals().update(tests_of("test_pca", {}))
