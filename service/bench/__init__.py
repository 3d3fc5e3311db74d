"""What `atelier bench` measures."""
