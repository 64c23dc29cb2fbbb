"""What a case's page offers its viewer: the acts that are possible now, and which of them comes next. The operations judge again."""

from dataclasses import dataclass
from datetime import date

from clinic import clock
from clinic.models import AT_WORK, Case, CaseStatus, CaseTask, Role, TaskStatus, User

# Of several tasks the one that comes next: what came back first, then by deadline.
FIRST = {TaskStatus.RETURNED: 0, TaskStatus.IN_PROGRESS: 1, TaskStatus.ASSIGNED: 2}


@dataclass(frozen=True)
class Shown:
    """A case as one viewer sees it. `works`: it is theirs to work on; `leads`: they assign, review and verify."""

    case: Case
    works: bool
    leads: bool
    today: date

    @property
    def is_at_work(self) -> bool:
        return self.case.status in AT_WORK

    @property
    def is_open(self) -> bool:
        return self.case.status is CaseStatus.OPEN

    @property
    def may_comment(self) -> bool:
        return (self.works or self.leads) and self.case.status is not CaseStatus.CLOSED

    @property
    def may_submit(self) -> bool:
        return self.works and self.is_open and self.case.is_done

    @property
    def may_close(self) -> bool:
        return self.leads and (self.is_at_work or self.case.status is CaseStatus.VERIFIED)

    @property
    def next_task(self) -> CaseTask | None:
        """The task whose act comes next for the viewer; None when something of the whole case does."""
        if self.works and self.is_open:
            mine = [task for task in self.case.tasks if task.status in FIRST]
            return min(mine, key=lambda task: (FIRST[task.status], task.due_on, task.id), default=None)
        if self.leads and self.is_open:
            return next((task for task in self.case.tasks if task.status is TaskStatus.COMPLETED), None)
        return None


def shown_to(viewer: User, case: Case, *, may_write: bool) -> Shown:
    """A case as this viewer sees it; `may_write`: nothing but who they are stands against their writing."""
    leads = viewer.role is Role.SUPERVISOR and viewer.department_id == case.department_id
    works = viewer.role is Role.STUDENT and viewer.id == case.student_id
    return Shown(case, works and may_write, leads and may_write, clock.today())
