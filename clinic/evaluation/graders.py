"""How severe each grader is, and how far their marks scatter, compared with colleagues who marked the same students.

docs/decisions/0058 says why it is done so. What is compared is an evaluation: the mean of its marks, each less the mean of its
criterion. Student and grader are fitted together by least squares, a student anew in each `TERM` of months, so that who sees the weaker
students, or sees them earlier in the year, is not taken for strict.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import pi, sqrt
from statistics import NormalDist, median

FEWEST = 8  # evaluations that can be compared
FEWEST_STUDENTS = 4
FEWEST_GRADERS = 3  # of two nobody can say which of them it is
LEAST = 0.3  # of a step; whatever is less is nobody's fault, however surely it is known
ALLOWED = 0.15  # of a step: nobody marks exactly as others do, so it must be sure to be more than this
CHANCE = 0.05  # that anybody among all graders is singled out who is no further from the others than that
TERM = 3  # months in which a student counts as the same
MOST_JUDGED = 150  # graders fitted at once


@dataclass(frozen=True)
class Cell:
    """The evaluations of one student by one grader in one term: how many, their sum and the sum of their squares."""

    student: int
    term: int
    grader: int
    count: int
    total: float
    squares: float


@dataclass(frozen=True)
class Grader:
    """`count` evaluations of `students` whom colleagues marked too. `severity`: how much higher (lower: negative) than theirs, in steps of
    the scale; `error`: its standard error; `bound`: how far from 0 it may lie by chance; `spread`: the standard deviation of what
    student and severity do not explain. None where there is too little to compare."""

    grader: int
    count: int
    students: int
    severity: float | None = None
    error: float | None = None
    bound: float | None = None
    spread: float | None = None

    @property
    def is_judged(self) -> bool:
        return self.severity is not None

    @property
    def is_strict(self) -> bool:
        return self._stands_out and (self.severity or 0) < 0

    @property
    def is_lenient(self) -> bool:
        return self._stands_out and (self.severity or 0) > 0

    @property
    def _stands_out(self) -> bool:
        return self.severity is not None and abs(self.severity) > max(LEAST, ALLOWED + (self.bound or 0.0))


@dataclass(frozen=True)
class Compared:
    """Every grader by id, and the spread that is usual among those who are judged."""

    graders: dict[int, Grader]
    spread: float | None = None


@dataclass
class _Group:
    """Graders and blocks (a student in a term) that hang together: by number in it."""

    graders: list[int]
    blocks: dict[tuple[int, int], dict[int, Cell]] = field(default_factory=dict)


def compared(cells: Iterable[Cell]) -> Compared:
    """Each grader beside those who marked the same students."""
    cells = list(cells)
    found = {grader: Grader(grader, 0, 0) for grader in {cell.grader for cell in cells}}
    blocks = _comparable(cells)
    fits = [_fit(group) for group in _groups(blocks) if len(group.graders) >= FEWEST_GRADERS]
    judged = sum(len(fit.graders) for fit in fits)
    counts = _counted(blocks)
    found |= {grader: Grader(grader, *counts[grader]) for grader in counts}
    squares = freedom = 0.0
    for fit in fits:
        squares, freedom = squares + fit.squares, freedom + fit.freedom
        for grader, severity, error, students, spread in fit.told():
            bound = _quantile(1 - CHANCE / 2 / judged, students - 1) * error
            found[grader] = Grader(grader, *counts[grader], severity, error, bound, spread)
    return Compared(found, sqrt(squares / freedom) if freedom > 0 else None)


# --- what can be compared ---------------------------------------------------------------------------------------------

Blocks = dict[tuple[int, int], dict[int, Cell]]


def _comparable(cells: Sequence[Cell]) -> Blocks:
    """The students of a term whom at least two graders marked, by graders who have enough of such. Taking one away may take others."""
    blocks: Blocks = defaultdict(dict)
    for cell in cells:
        blocks[cell.student, cell.term][cell.grader] = cell
    while True:
        blocks = {key: block for key, block in blocks.items() if len(block) > 1}
        counts = _counted(blocks)
        enough = [g for g, (count, students) in counts.items() if count >= FEWEST and students >= FEWEST_STUDENTS]
        kept = set(sorted(enough, key=lambda grader: (-counts[grader][0], grader))[:MOST_JUDGED])
        if len(kept) == len(counts):
            return blocks
        blocks = {
            key: {grader: cell for grader, cell in block.items() if grader in kept} for key, block in blocks.items()
        }


def _counted(blocks: Blocks) -> dict[int, tuple[int, int]]:
    """By grader: evaluations and students."""
    counts: dict[int, int] = defaultdict(int)
    students: dict[int, set[int]] = defaultdict(set)
    for (student, _term), block in blocks.items():
        for grader, cell in block.items():
            counts[grader] += cell.count
            students[grader].add(student)
    return {grader: (counts[grader], len(students[grader])) for grader in counts}


def _groups(blocks: Blocks) -> list[_Group]:
    """Graders who are tied to one another by students whom they marked, directly or through others."""
    leader: dict[int, int] = {}

    def first(grader: int) -> int:
        while leader.setdefault(grader, grader) != grader:
            grader = leader[grader]
        return grader

    for block in blocks.values():
        head, *others = block
        for other in others:
            leader[first(other)] = first(head)
    groups: dict[int, _Group] = {}
    for grader in sorted(leader):
        groups.setdefault(first(grader), _Group([])).graders.append(grader)
    for key, block in blocks.items():
        groups[first(next(iter(block)))].blocks[key] = block
    return list(groups.values())


# --- the fit ----------------------------------------------------------------------------------------------------------


@dataclass
class _Fit:
    graders: list[int]
    severity: dict[int, float]  # as fitted, their mean 0
    weight: dict[int, float]  # of the residual variance in the variance of the severity
    spread: dict[int, float]
    between: dict[int, float]  # standard error by how much the difference varies from student to student
    students: dict[int, int]
    squares: float
    freedom: float

    def told(self) -> Iterable[tuple[int, float, float, int, float]]:
        """Grader, severity from the median of all, standard error, students, spread."""
        middle = median(self.severity.values())
        usual = sqrt(self.squares / self.freedom) if self.freedom > 0 else 0.0
        # The median is itself known only so well: its variance is about pi/2 of the mean's.
        of_middle = pi / 2 * usual**2 * sum(self.weight.values()) / len(self.graders) ** 2
        for grader in self.graders:
            scatter = max(usual, self.spread[grader])
            error = max(sqrt(self.weight[grader]) * scatter, self.between[grader])
            yield (
                grader,
                self.severity[grader] - middle,
                sqrt(error**2 + of_middle),
                self.students[grader],
                self.spread[grader],
            )


def _fit(group: _Group) -> _Fit:
    """Least squares of student in a term, and grader; the students are eliminated first, which leaves as many equations as graders."""
    place = {grader: number for number, grader in enumerate(group.graders)}
    size = len(place)
    matrix = [[1 / size] * size for _ in range(size)]  # the mean of all severities is 0
    right = [0.0] * size
    for block in group.blocks.values():
        count = sum(cell.count for cell in block.values())
        mean = sum(cell.total for cell in block.values()) / count
        for one in block.values():
            row = matrix[place[one.grader]]
            row[place[one.grader]] += one.count
            right[place[one.grader]] += one.total - one.count * mean
            for other in block.values():
                row[place[other.grader]] -= one.count * other.count / count
    inverse = _inverse(matrix)
    # Without the part that only pins the mean down.
    inverse = [[value - 1 / size for value in row] for row in inverse]
    fitted = [sum(value * each for value, each in zip(row, right, strict=True)) for row in inverse]
    severity = {grader: fitted[number] for grader, number in place.items()}
    squares: dict[int, float] = defaultdict(float)
    freedom: dict[int, float] = defaultdict(float)
    differences: dict[int, dict[int, list[float]]] = {grader: defaultdict(lambda: [0.0, 0.0]) for grader in place}
    for (student, _term), block in group.blocks.items():
        count = sum(cell.count for cell in block.values())
        level = sum(cell.total - cell.count * severity[cell.grader] for cell in block.values()) / count
        for grader, cell in block.items():
            expected = level + severity[grader]
            squares[grader] += max(0.0, cell.squares - 2 * expected * cell.total + cell.count * expected**2)
            freedom[grader] += cell.count * (1 - _leverage(block, grader, count, inverse, place))
            seen = differences[grader][student]
            seen[0] += cell.total - cell.count * expected
            seen[1] += cell.count
    return _Fit(
        graders=group.graders,
        severity=severity,
        weight={grader: inverse[number][number] for grader, number in place.items()},
        spread={g: sqrt(squares[g] / freedom[g]) if freedom[g] > 0.5 else 0.0 for g in place},
        between={grader: _between(list(of.values())) for grader, of in differences.items()},
        students={grader: len(of) for grader, of in differences.items()},
        squares=sum(squares.values()),
        freedom=sum(freedom.values()),
    )


def _leverage(
    block: Mapping[int, Cell], grader: int, count: int, inverse: list[list[float]], place: Mapping[int, int]
) -> float:
    """How much an evaluation of this cell determines its own fit, 0 to 1."""
    parts = {place[cell.grader]: -cell.count / count for cell in block.values()}
    parts[place[grader]] += 1
    return 1 / count + sum(inverse[a][b] * x * y for a, x in parts.items() for b, y in parts.items())


def _between(differences: list[list[float]]) -> float:
    """The standard error of a mean difference by how much it varies from student to student: totals and counts of each."""
    number = len(differences)
    count = sum(each[1] for each in differences)
    mean = sum(each[0] for each in differences) / count
    squares = sum((total - mean * each) ** 2 for total, each in differences)
    return sqrt(squares * number / (number - 1)) / count if number > 1 else 0.0


def _inverse(matrix: list[list[float]]) -> list[list[float]]:
    """By Gauss and Jordan with the largest pivot. Of 150 equations about 0.3 s."""
    size = len(matrix)
    rows = [[*row, *(1.0 if number == place else 0.0 for place in range(size))] for number, row in enumerate(matrix)]
    for column in range(size):
        best = max(range(column, size), key=lambda number: abs(rows[number][column]))
        rows[column], rows[best] = rows[best], rows[column]
        pivot = rows[column][column]
        head = rows[column] = [value / pivot for value in rows[column]]
        for number, row in enumerate(rows):
            if number != column and (factor := row[column]):
                rows[number] = [value - factor * each for value, each in zip(row, head, strict=True)]
    return [row[size:] for row in rows]


def _quantile(chance: float, freedom: int) -> float:
    """Of Student's t, from the normal distribution by Cornish and Fisher; within 1 % for 4 degrees of freedom and more."""
    z = NormalDist().inv_cdf(chance)
    n = max(freedom, 1)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )
