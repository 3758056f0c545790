"""Fits run several at a time, and the person who waits is told how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.learn.tasks import Run, Task
from stages.run import concurrency, fits, time_needed
from stages.run.terminal import Progress, time_left


def squared(number: int) -> int:
    return number**2


@pytest.mark.parametrize("run", [fits.in_processes("numbers"), fits.in_threads("numbers")])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_results_come_in_the_order_of_the_tasks_and_the_longest_begins_first(
    run: Run,
    processes: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(concurrency.PROCESSES, processes)
    monkeypatch.setattr("stages.run.terminal.PLAIN_LINES_APART", -1.0)
    monkeypatch.setitem(time_needed.SECONDS, squared, lambda number: number % 3)
    tasks = [Task(f"number {i}", (i,)) for i in range(6)]
    assert run("squares", squared, tasks) == [0, 1, 4, 9, 16, 25]
    shown = capfd.readouterr().err.splitlines()
    assert len(shown) == 6
    if processes == "1":
        assert shown[0].startswith("numbers: squares: 1 of 6 (number 2), about ")
        assert shown[-1] == "numbers: squares: 6 of 6 (number 3)"


@given(
    work=st.lists(st.floats(1, 100), min_size=1, max_size=40),
    speed=st.floats(0.01, 10),
    at_once=st.integers(1, 8),
    data=st.data(),
)
def test_time_left_is_right_within_a_factor_of_two_where_the_work_is_as_expected(
    work: list[float], speed: float, at_once: int, data: st.DataObject
) -> None:
    # Tasks of known length, the longest first, each given to whoever is free.
    work.sort(reverse=True)
    free, ends = [0.0] * at_once, []
    for amount in work:
        first = free.index(min(free))
        free[first] += amount / speed
        ends.append(free[first])
    over = sorted(ends)
    done = data.draw(st.integers(1, len(work)))
    now, rest = over[done - 1], max(ends) - over[done - 1]
    finished = sum(amount for amount, end in zip(work, ends, strict=True) if end <= now)
    count = sum(end <= now for end in ends)
    begun = sum(work[: count + at_once])
    # Where fewer tasks are left than can run at once, the last of them decides.
    if count + at_once <= len(work) and rest > 0:
        said = time_left(now, sum(work), finished, begun - finished)
        assert said < 2 * rest + work[0] / speed
        assert said > rest / 2 - work[0] / speed


def test_a_stage_that_knows_the_work_of_its_steps_counts_work_and_not_steps(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stages.run.terminal.PLAIN_LINES_APART", -1.0)
    clock = iter([0.0, 90.0, 95.0, 100.0])
    monkeypatch.setattr("stages.run.terminal.time.monotonic", lambda: next(clock))
    with Progress("fits", 3, work=[90.0, 5.0, 5.0]) as bar:
        bar.advance("a long one", work=90.0)
        bar.advance("a short one", work=5.0)
        bar.advance("another", work=5.0)
    assert capfd.readouterr().err.splitlines() == [
        "fits: 1 of 3 (a long one), about 10 s left",
        "fits: 2 of 3 (a short one), about 5 s left",
        "fits: 3 of 3 (another)",
    ]


def test_what_is_said_of_a_stages_time_is_in_seconds_or_minutes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(concurrency.PROCESSES, "2")
    monkeypatch.setattr(time_needed, "slowness", lambda: 3.0)
    time_needed.announce("svm_eval", 10)
    time_needed.announce("mlp_search", 200, alone=20)
    assert capsys.readouterr().out == (
        "svm_eval: about 15 seconds on this machine, 2 fits at once\n"
        "mlp_search: about 6 minutes on this machine, 2 fits at once\n"
    )
    monkeypatch.setenv(concurrency.CLUSTER, "tcp://HOST:8786")
    time_needed.announce("kmeans", 10)
    assert capsys.readouterr().out == ""
