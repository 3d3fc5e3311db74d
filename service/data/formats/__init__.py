"""The file formats that examples come in, one a module."""
