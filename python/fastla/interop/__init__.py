"""Meeting points with other libraries, one file each, imported when the other library is."""
