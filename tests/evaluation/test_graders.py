"""Whoever is strict or lenient is found, and nobody who is fair: over many made-up years."""

import random

import pytest

from clinic.evaluation import graders
from clinic.evaluation.graders import Cell, compared
from tests.graded import LENIENT, STRICT, UNLUCKY, year

SEEDS = range(50)


def told(found):
    """Who is called strict, and who lenient."""
    return (
        {grader for grader, each in found.graders.items() if each.is_strict},
        {grader for grader, each in found.graders.items() if each.is_lenient},
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_strict_and_the_lenient_one_are_found_and_no_fair_one(seed):
    made = year(seed)
    found = compared(made.cells())
    assert told(found) == ({STRICT}, {LENIENT})
    naive = made.naive()
    fair = [grader for grader in naive if grader not in (STRICT, LENIENT)]
    assert any(abs(naive[grader]) > graders.LEAST for grader in fair), "the naive mean accuses nobody: too easy"
    assert naive[UNLUCKY] < 0


def test_where_all_are_fair_nobody_is_found():
    assert [seed for seed in SEEDS if told(compared(year(seed, off=0.0).cells())) != (set(), set())] == []


def test_in_a_small_clinic_one_who_is_off_may_be_missed_and_hardly_anybody_fair_is_named():
    wrong = found = 0
    for seed in SEEDS:
        strict, lenient = told(compared(year(seed, graders=6, students=16, visits=10).cells()))
        wrong += bool((strict - {STRICT}) | (lenient - {LENIENT}))
        found += STRICT in strict and LENIENT in lenient
    assert wrong <= 1
    assert found >= len(SEEDS) // 3


def test_many_graders_and_many_students():
    for seed in range(5):
        assert told(compared(year(seed, graders=30, students=100, visits=20).cells())) == ({STRICT}, {LENIENT})


def cells(*rows):
    """`(student, grader, levels)` as cells of one term."""
    return [Cell(s, 0, g, len(of), float(sum(of)), float(sum(v * v for v in of))) for s, g, of in rows]


class TestByHand:
    def test_the_difference_is_between_colleagues_of_the_same_students(self):
        """Grader 3 has the weak students and marks them as the others do."""
        rows = [(student, grader, [3.0, 3.2]) for student in range(6) for grader in (1, 2, 4)]
        rows += [(student, grader, [1.0, 1.2]) for student in range(10, 16) for grader in (1, 3)]
        found = compared(cells(*rows)).graders
        assert {grader: round(each.severity, 6) for grader, each in found.items()} == dict.fromkeys((1, 2, 3, 4), 0.0)
        assert (found[3].count, found[3].students) == (12, 6)

    def test_a_step_lower_is_a_step_lower(self):
        dice = random.Random(7)
        rows = [
            (student, grader, [student % 3 + (grader == 1) * -1.0 + dice.gauss(0, 0.1) for _ in range(3)])
            for student in range(8)
            for grader in (1, 2, 3, 4)
        ]
        found = compared(cells(*rows))
        assert found.graders[1].severity == pytest.approx(-1.0, abs=0.1)
        assert told(found) == ({1}, set())
        assert found.spread == pytest.approx(0.1, abs=0.03)

    def test_of_two_nobody_says_which_it_is(self):
        rows = [(student, grader, [3.0 + grader, 3.1 + grader]) for student in range(8) for grader in (0, 1)]
        assert not any(each.is_judged for each in compared(cells(*rows)).graders.values())

    def test_few_evaluations_say_nothing(self):
        rows = [(student, grader, [3.0 - grader]) for student in range(4) for grader in (0, 1, 2)]
        found = compared(cells(*rows)).graders
        assert not any(each.is_judged for each in found.values())

    def test_one_student_seen_often_is_not_many_students(self):
        rows = [(1, grader, [3.0 - grader] * 20) for grader in (0, 1, 2)]
        assert not any(each.is_judged for each in compared(cells(*rows)).graders.values())

    def test_who_shares_no_student_is_not_compared(self):
        rows = [(student, grader, [3.0, 3.1]) for student in range(8) for grader in (1, 2, 3)]
        rows += [(student, 9, [1.0, 1.1]) for student in range(20, 30)]
        found = compared(cells(*rows)).graders
        assert not found[9].is_judged
        assert (found[9].count, found[9].students) == (0, 0)
        assert found[1].is_judged

    def test_who_dislikes_one_student_is_not_called_strict(self):
        """Far lower marks of one student among six vary so much from student to student that they say nothing of the grader."""
        dice = random.Random(3)
        rows = [
            (s, g, [3 + dice.gauss(0, 0.1) - (2.5 if (s, g) == (0, 1) else 0) for _ in range(3)])
            for s in range(6)
            for g in (1, 2, 3, 4)
        ]
        assert told(compared(cells(*rows))) == (set(), set())

    def test_of_nothing_nothing_is_said(self):
        assert compared([]).graders == {}
        assert compared([]).spread is None

    def test_marks_without_any_scatter(self):
        rows = [(student, grader, [2.0, 2.0]) for student in range(8) for grader in (1, 2, 3)]
        found = compared(cells(*rows))
        assert told(found) == (set(), set())
        assert found.spread == pytest.approx(0.0)
