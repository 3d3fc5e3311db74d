"""The pages of the gallery: templates, style, scripts, and the curves that are drawn in them."""
