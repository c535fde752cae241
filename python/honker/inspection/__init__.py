"""Inspection and operation of all jobs of a file: methods of `honker.Database`, and the records that they return."""

from honker.inspection.bulk import Applied, Verb
from honker.inspection.dead_groups import DeadGroup
from honker.inspection.detail import JobDetail, Relative
from honker.inspection.listing import JobPage, JobState, JobSummary
from honker.inspection.locks import LockInfo
from honker.inspection.streams import ConsumerInfo, StreamInfo
from honker.inspection.workflows import WorkflowInfo, WorkflowJob, WorkflowPage

__all__ = [
    "Applied",
    "ConsumerInfo",
    "DeadGroup",
    "JobDetail",
    "JobPage",
    "JobState",
    "JobSummary",
    "LockInfo",
    "Relative",
    "StreamInfo",
    "Verb",
    "WorkflowInfo",
    "WorkflowJob",
    "WorkflowPage",
]
