"""The mathematics: operators with their gradients, layers, networks and the engines that run them."""
