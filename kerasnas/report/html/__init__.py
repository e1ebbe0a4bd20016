"""HTML and SVG elements, and the page's style."""
