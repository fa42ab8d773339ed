"""scikit-learn's tests of its own estimator, of ours."""

from scikit_suite import theirs

globals().update(theirs("test_truncated_svd", {}))
