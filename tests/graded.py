"""A made-up term of evaluations: students of different ability, graders of different severity, and who marked whom, unevenly."""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from clinic.evaluation.graders import Cell

CRITERIA = {
    "knowledge": 0.2,
    "technique": -0.3,
    "patient_management": 0.1,
    "infection_control": 0.3,
    "record_keeping": -0.2,
    "professionalism": 0.0,
}
STRICT, LENIENT, UNLUCKY, LUCKY = 0, 1, 2, 3  # the last two are fair, and see the weakest and the strongest students


@dataclass(frozen=True)
class Given:
    """One evaluation: by whom, of whom, in which term, the marks by criterion (None: not seen)."""

    student: int
    term: int
    grader: int
    marks: dict[str, int | None]


@dataclass
class Year:
    """`severity`: what was put in, by grader; the fair ones differ by little. `given`: what came out."""

    severity: dict[int, float]
    given: list[Given] = field(default_factory=list)

    def cells(self) -> list[Cell]:
        """As the database adds them up."""
        return list(added_up((each.student, each.term, each.grader, each.marks) for each in self.given))

    def naive(self) -> dict[int, float]:
        """The mean of all marks of each grader, less the mean of all: what a page without a statistic would show."""
        marks: dict[int, list[int]] = defaultdict(list)
        for each in self.given:
            marks[each.grader] += [step for step in each.marks.values() if step]
        overall = sum(map(sum, marks.values())) / sum(map(len, marks.values()))
        return {grader: sum(of) / len(of) - overall for grader, of in marks.items()}


def year(
    seed: int, *, graders: int = 10, students: int = 40, visits: int = 24, off: float = 0.8, halo: float = 0.45
) -> Year:
    """`off`: how far the strict and the lenient grader are from the others, in steps. `halo`: how much a whole evaluation varies."""
    dice = random.Random(f"graders-{seed}")
    severity = {grader: dice.gauss(0, 0.06) for grader in range(graders)}
    severity[STRICT], severity[LENIENT] = -off, off
    ability = {student: dice.gauss(3.1, 0.6) for student in range(students)}
    by_ability = sorted(ability, key=lambda student: ability[student])
    weak, strong = set(by_ability[: students // 4]), set(by_ability[-students // 4 :])
    made = Year(severity)
    for student in range(students):
        for visit in range(visits):
            grader = _who(dice, graders, student in weak, student in strong)
            term = visit * 4 // visits
            level = ability[student] + 0.15 * term + severity[grader] + dice.gauss(0, halo)
            marks: dict[str, int | None] = {
                code: None if dice.random() < 0.1 else max(1, min(5, round(level + easy + dice.gauss(0, 0.5))))
                for code, easy in CRITERIA.items()
            }
            if any(marks.values()):
                made.given.append(Given(student, term, grader, marks))
    return made


def _who(dice: random.Random, graders: int, is_weak: bool, is_strong: bool) -> int:
    """The unlucky one has the weak students for the most part, the lucky one the strong; the lenient one is busy, the strict one is not."""
    shares = [1.0] * graders
    shares[UNLUCKY] = 6.0 if is_weak else 0.15
    shares[LUCKY] = 6.0 if is_strong else 0.15
    shares[STRICT], shares[LENIENT] = 0.6, 1.6
    return dice.choices(range(graders), shares)[0]


def added_up(rows: Iterator[tuple[int, int, int, Mapping[str, int | None]]]) -> Iterator[Cell]:
    """Evaluations as cells: the mean of the marks, each less the mean of its criterion."""
    rows = list(rows)  # type: ignore[assignment]
    by_criterion: dict[str, list[int]] = defaultdict(list)
    for *_, marks in rows:
        for code, step in marks.items():
            if step:
                by_criterion[code].append(step)
    usual = {code: sum(of) / len(of) for code, of in by_criterion.items()}
    found: dict[tuple[int, int, int], list[float]] = defaultdict(list)
    for student, term, grader, marks in rows:
        seen = [step - usual[code] for code, step in marks.items() if step]
        found[student, term, grader].append(sum(seen) / len(seen))
    for (student, term, grader), values in found.items():
        yield Cell(student, term, grader, len(values), sum(values), sum(value**2 for value in values))
