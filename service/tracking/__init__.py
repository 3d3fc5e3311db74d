"""Runs in other tools: MLflow and TensorBoard follow a run by its log, from a process of their own.

base                 what a tracker is
figures              what a line of the round log says, as named figures
mlflow, tensorboard  the trackers, one a file
registry             trackers by name
feed, follower       the process that hands a run's log to its trackers, and remembers how far it is
process              that process, while a training lasts
"""
