"""A training, from its configuration to a published model.

preflight                        what is checked before anything is started
start, warm_start, resume        how a run begins, what it starts from, how it goes on
extension                        a finished run with more epochs
loop, history                    rounds, log and checkpoints until the end
live_evaluation, epoch_scores    epochs are evaluated meanwhile
early_stopping, decided_rounds   which epoch is the best, and which is the last
thinning                         which checkpoints stay
evaluate, metrics                how good its parameters are
publish, report                  the model in the registry, the run in Markdown
verify                           was the run what it says it was?
disk                             one line where its files can't be written
"""
