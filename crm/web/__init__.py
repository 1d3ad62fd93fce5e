"""The edge towards browsers: one commit a request, forms, refusals as pages, headers, limits. Knows no feature."""
