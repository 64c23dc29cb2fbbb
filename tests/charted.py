"""Charts for tests: one whose first charting is done, sent, approved, and gone on with."""

from clinic.chart.entry import Entry
from clinic.chart.kinds import Status
from clinic.extensions import db
from clinic.models import Chart, ChartVersion, SignOff, VersionReason
from clinic.operations.chart import chart_stroke
from clinic.operations.chart_versions import cut_version, finish_first_charting
from clinic.operations.sign_off import approve_chart, send_chart
from tests.world import World

F, P, X = Status.FINDING, Status.PLANNED, Status.EXISTING


def entry(kind: str, tooth: str, status: Status = F, surfaces: str = "", **details: str) -> Entry:
    return Entry(kind, status, ((tooth, ""),), surfaces=surfaces, details=details)


FIRST = (
    entry("caries", "36", F, "MO", icdas="4"),
    entry("caries", "16", F, "O", icdas="2"),
    entry("missing", "48", why="congenital"),
    entry("restoration", "26", X, "OD", material="amalgam"),
    entry("crown", "11", X, material="pfm"),
    entry("root_canal", "11", X, canals="C:full"),
    entry("impacted", "38", angle="mesial"),
    entry("apical_lesion", "46", size="M"),
    entry("root_canal", "46", P),
    entry("extraction", "28", P),
    entry("sealant", "37", P, "O"),
    Entry("bridge", P, (("14", "abutment"), ("15", "pontic"), ("16", "abutment")), details={"material": "pfm"}),
    entry("missing", "15", why="caries"),
    entry("mobility", "31", grade="1"),
)
LATER = (entry("restoration", "36", P, "MO", material="composite"), entry("fracture", "21", **{"class": "enamel"}))


def charted(world: World, name: str = "fernando", student: str = "kamal", supervisor: str = "silva") -> None:
    """Version 1 the initial odontogram, sent and approved; then two more entries and version 2, which has a name. Commits."""
    patient, actor = world.patient(name), world.user(student)
    chart = stroke(world, FIRST, name, student)
    finish_first_charting(patient, actor=actor)
    sign_off = send_chart(patient, words="First charting", seen=chart.stroke, actor=actor)
    db.session.commit()
    approve_chart(sign_off.id, version=sign_off.version, actor=world.user(supervisor))
    db.session.commit()
    stroke(world, LATER, name, student)
    cut_version(patient, why=VersionReason.NAMED, name="Before the fillings", actor=actor)
    db.session.commit()


def stroke(world: World, entries: tuple[Entry, ...], name: str = "fernando", student: str = "kamal") -> Chart:
    patient = world.patient(name)
    seen = db.session.get(Chart, patient.id)
    chart = chart_stroke(
        patient,
        entries=entries,
        seen=seen.stroke if seen else 0,
        reason="Said by the patient",
        actor=world.user(student),
    )
    db.session.commit()
    return chart


def version_of(world: World, number: int, name: str = "fernando") -> ChartVersion:
    return db.session.query(ChartVersion).filter_by(patient_id=world.patients[name], number=number).one()


def sign_off_of(world: World, name: str = "fernando") -> SignOff:
    return db.session.query(SignOff).filter_by(patient_id=world.patients[name]).order_by(SignOff.id.desc()).first()
