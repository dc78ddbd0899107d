"""The lab: studies of runs, many runs and what-if questions.

`load` reads the directory of a study: `StudyResults.rows`, `StudyResults.interval` and
`StudyResults.paired`.
"""

from seawall.lab.study_results import Pairing, StudyResults, load

__all__ = ["Pairing", "StudyResults", "load"]
