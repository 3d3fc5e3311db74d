"""The colours of all pictures: paper, ink, and four colours for lines."""

PAPER = "#fbf9f4"
INK = "#2b2a33"
FAINT = "#d9d4c7"
INDIGO = "#34508c"
MADDER = "#b6473a"
OCHRE = "#c8932b"
MOSS = "#4d7a5a"

LINES = (MADDER, INDIGO, OCHRE, MOSS)
"""For lines of one picture, in this order."""
