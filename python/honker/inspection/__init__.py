"""Inspection and operation of all jobs of a file: methods of `honker.Database`, and the records that they return."""

from honker.inspection.bulk import Applied, Verb
from honker.inspection.detail import JobDetail, Relative
from honker.inspection.listing import JobPage, JobState, JobSummary

__all__ = ["Applied", "JobDetail", "JobPage", "JobState", "JobSummary", "Relative", "Verb"]
