"""One palette for all pictures: paper, ink, and a few threads of colour."""

PAPER = "#fbf9f4"
INK = "#2b2a33"
FAINT = "#d9d4c7"
INDIGO = "#34508c"
MADDER = "#b6473a"
OCHRE = "#c8932b"
