from __future__ import annotations

from gateway.core.usage import Sum, UsageTable, Used


def test_calls_add_up_by_model_and_by_principal() -> None:
    table = UsageTable()
    table.add("user:ada", "router", Used(10, 5))
    table.add("user:ada", "router", Used(1, 2, estimated=True))
    table.add("user:bob", "router", Used(100, 0))
    table.add("user:ada", "small", Used(7, 7))
    assert table.models == {"router": Sum(3, 111, 7, 1), "small": Sum(1, 7, 7, 0)}
    assert table.pairs == {
        ("user:ada", "router"): Sum(2, 11, 7, 1),
        ("user:bob", "router"): Sum(1, 100, 0, 0),
        ("user:ada", "small"): Sum(1, 7, 7, 0),
    }
    assert table.forgotten == 0


def test_as_many_pairs_as_there_may_be_are_all_kept() -> None:
    table = UsageTable(limit=3)
    for name in "abc":
        table.add(name, "router", Used(1, 1))
    assert (len(table.pairs), table.forgotten) == (3, 0)


def test_one_more_takes_the_place_of_the_longest_unused_and_the_models_sums_stay_whole() -> None:
    table = UsageTable(limit=3)
    for name in "abcad":
        table.add(name, "router", Used(1, 1))
    assert [who for who, _ in table.pairs] == ["c", "a", "d"]
    assert table.forgotten == 1
    assert table.models["router"] == Sum(5, 5, 5, 0)


def test_what_a_call_used_in_all() -> None:
    assert Used(3, 4).total == 7
