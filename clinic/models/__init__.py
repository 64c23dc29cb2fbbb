"""Facts and rules of one record. One import for every table."""

from clinic.models.base import Base
from clinic.models.ledger import AuditEvent, Change, Counter, OnceKey, Setting
from clinic.models.patient import (
    Alert,
    AlertKind,
    Assignment,
    AssignmentKind,
    Patient,
    PatientToken,
    Severity,
    Sex,
)
from clinic.models.place import Chair, Department, Display
from clinic.models.queue import (
    CHAIR_STAGES,
    FINAL_STAGES,
    CallReason,
    Priority,
    QueueEntry,
    Stage,
    SupervisorCall,
)
from clinic.models.user import (
    AuthSession,
    Device,
    Draft,
    PasswordReset,
    RecoveryCode,
    RememberToken,
    Role,
    SignInThrottle,
    User,
)
from clinic.models.visit import SLOT_MINUTES, VISIT_MOVES, Booking, Visit, VisitStatus

__all__ = [
    "CHAIR_STAGES",
    "FINAL_STAGES",
    "SLOT_MINUTES",
    "VISIT_MOVES",
    "Alert",
    "AlertKind",
    "Assignment",
    "AssignmentKind",
    "AuditEvent",
    "AuthSession",
    "Base",
    "Booking",
    "CallReason",
    "Chair",
    "Change",
    "Counter",
    "Department",
    "Device",
    "Display",
    "Draft",
    "OnceKey",
    "PasswordReset",
    "Patient",
    "PatientToken",
    "Priority",
    "QueueEntry",
    "RecoveryCode",
    "RememberToken",
    "Role",
    "Setting",
    "Severity",
    "Sex",
    "SignInThrottle",
    "Stage",
    "SupervisorCall",
    "User",
    "Visit",
    "VisitStatus",
]
