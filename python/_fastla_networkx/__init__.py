"""What `import networkx` wants to know of fastla, without importing it or NumPy."""


def get_info() -> dict[str, object]:
    """For the entry point ``networkx.backend_info``; see fastla.interop.networkx."""
    exactly = "As NetworkX has it: the same steps, and the same error where they do not do."
    proven = (
        "Go on until the sum of |rank - exact rank| over all nodes is proven to be at most this; "
        "`tol`, `max_iter` are not looked at."
    )
    return {
        "backend_name": "fastla",
        "project": "fastla",
        "package": "fastla",
        "short_summary": "Products with sparse matrices whose bits do not depend on threads.",
        "functions": {
            "pagerank": {
                "additional_docs": exactly,
                "additional_parameters": {"l1_error : float, optional": proven},
            },
            "hits": {
                "additional_docs": "Of vectors that lead alike, the one nearest to the start: never negative "
                "entries, and the same ones in each call."
            },
            "eigenvector_centrality": {"additional_docs": exactly},
            "katz_centrality": {"additional_docs": exactly},
        },
    }
