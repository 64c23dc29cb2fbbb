"""What is said of a grader, in plain words."""

from clinic.evaluation.graders import FEWEST, FEWEST_STUDENTS, Grader
from clinic.formatting import number_of

MUCH_SPREAD = 1.5  # times the usual


def said_of(grader: Grader, usual: float | None) -> str:
    """A sentence about a grader beside colleagues of the same students."""
    seen = f"({number_of(grader.count, 'evaluation')} of {number_of(grader.students, 'student')})"
    if not grader.is_judged or grader.severity is None:
        return f"Too few to say {seen}: it takes {FEWEST} of {FEWEST_STUDENTS} students whom two colleagues or more marked too."
    if grader.is_strict or grader.is_lenient:
        which = "lower" if grader.is_strict else "higher"
        return f"Marks {abs(grader.severity):.1f} {which} than colleagues of the same students {seen}"
    wide = grader.spread is not None and usual is not None and grader.spread > MUCH_SPREAD * usual
    return f"Not surely other than colleagues{'; single marks vary more than theirs' if wide else ''} {seen}"
