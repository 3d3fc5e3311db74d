"""The study of averaging: what the number of shards, H and the strategy do to loss and accuracy, over several seeds."""

from service.search.study.cells import CELLS, Cell, Study, StudyName
from service.search.study.outcomes import Outcome, outcomes_of
from service.search.study.report import write_report

__all__ = ["CELLS", "Cell", "Outcome", "Study", "StudyName", "outcomes_of", "write_report"]
