"""The pictures that come with a model, a run or a study. Drawn without a display and without global state.

charts                                  a training's lines as values: what `curve`, `live_curve` and the gallery draw
confusion, curve, kernels, study        PNGs, with Matplotlib
live_curve                              an SVG, without it
style                                   what the PNGs share
"""
