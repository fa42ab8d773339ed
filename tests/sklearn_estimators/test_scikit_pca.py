"""scikit-learn's tests of its own estimator, of ours."""

from scikit_suite import theirs

globals().update(theirs("test_pca", {
    "test_pca_svd_solver_auto": "of a private attribute, and limits between solvers that are not ours",
    "test_array_api_error_and_warnings_on_unsupported_params": "of arrays of another library",
}))
