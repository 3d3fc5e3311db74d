"""Rules by which a gradient changes the parameters, one a file.

sgd, adamw, lion        the rules, each in place on flat vectors
clipping                the length of a gradient, cut to a limit

`ops.update` takes a whole step by one of them. What a rule keeps from step to step is one vector, the `velocity` of a
replica; `ops.step_config.StepConfig.state_size` says how long it is. All of it starts at zero, and may start there
again at any time.
"""
