"""What policy reads of a routed service's request is all that the target reads, or nothing at all."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.arguments import MAX_DEPTH
from gateway.descriptors import MAX_VALUES, Descriptors, Shape
from tests.unit.gateway.orders import DATA, SET, Item, Order

GET, TELL = "/acme.Orders/Get", "/acme.Orders/Tell"


@pytest.fixture(scope="module")
def orders() -> Descriptors:
    return Descriptors(DATA)


def read(orders: Descriptors, order: Any) -> dict[str, Any]:
    return orders.arguments(GET, order if isinstance(order, bytes) else order.SerializeToString())


def refusal(orders: Descriptors, order: Any) -> str:
    with pytest.raises(ValueError) as caught:
        read(orders, order)
    return str(caught.value)


def packed(message: Any) -> Any:
    made = Packed()
    made.Pack(message)
    return Order(extra={"type_url": made.type_url, "value": made.value})


def test_the_shape_of_each_method(orders: Descriptors) -> None:
    assert orders.shapes("acme.Orders/*") == (
        Shape(GET, False, False),
        Shape("/acme.Orders/Watch", False, True),
        Shape("/acme.Orders/Load", True, False),
        Shape("/acme.Orders/Sync", True, True),
        Shape(TELL, False, False),
    )
    assert orders.shapes("acme.Orders/Get") == (Shape(GET, False, False),)


@pytest.mark.parametrize("pattern", ["acme.Orders/Ge", "acme.Order/*", "Orders/*", "acme.Orders/get"])
def test_what_is_not_described_has_no_shape(orders: Descriptors, pattern: str) -> None:
    with pytest.raises(ValueError, match="has no method"):
        orders.shapes(pattern)


def test_every_sort_of_value(orders: Descriptors) -> None:
    order = Order(
        customer_id="c1",
        amount=2**53 - 1,
        items=[{"name": "ü", "size": 1}, {"size": 7}],
        labels={"a": "b"},
        free={"k": [1, "x", None]},
        at={"seconds": 0},
        raw=b"\x00\xff",
        within={"customer_id": "c2"},
        numbers=[1, 0],
        by_name={"n": {"name": "m"}},
    )
    assert read(orders, order) == {
        "customer_id": "c1",
        "amount": 2**53 - 1,
        "items": [{"name": "ü", "size": "SIZE_LARGE"}, {"size": 7}],
        "labels": {"a": "b"},
        "free": {"k": [1.0, "x", None]},
        "at": "1970-01-01T00:00:00Z",
        "raw": "AP8=",
        "within": {"customer_id": "c2"},
        "numbers": [1, 0],
        "by_name": {"n": {"name": "m"}},
    }


def test_a_default_is_left_out_and_a_large_integer_is_a_text(orders: Descriptors) -> None:
    assert read(orders, Order(customer_id="", amount=0)) == {}
    assert read(orders, Order(amount=2**60 + 1)) == {"amount": str(2**60 + 1)}


def test_a_request_that_is_no_object_is_a_value(orders: Descriptors) -> None:
    assert orders.arguments(TELL, Timestamp(seconds=1).SerializeToString()) == {"value": "1970-01-01T00:00:01Z"}


def test_a_packed_message_is_read(orders: Descriptors) -> None:
    assert read(orders, packed(Item(name="in")))["extra"] == {"@type": "type.googleapis.com/acme.Item", "name": "in"}
    assert read(orders, Order(extra={})) == {"extra": {}}


UNKNOWN = b"\x98\x06\x01"  # field 99, a varint


@pytest.mark.parametrize(
    "order",
    [
        UNKNOWN,
        Order(within=Order.FromString(UNKNOWN)),
        Order(items=[Item(name="a"), Item.FromString(UNKNOWN)]),
        Order(by_name={"n": Item.FromString(UNKNOWN)}),
        packed(Item.FromString(UNKNOWN)),
        Order.FromString(b"\x3a\x03" + UNKNOWN),
    ],
    ids=["at the top", "nested", "in a list", "in a map", "packed", "in a known type"],
)
def test_a_field_that_is_not_described_is_refused_at_any_depth(orders: Descriptors, order: Any) -> None:
    assert "has fields that are not described here" in refusal(orders, order)


def test_a_packed_message_of_an_unknown_type_is_refused(orders: Descriptors) -> None:
    assert refusal(orders, packed(Empty())) == "holds a message of a type that is not described here"
    assert "of a type that is not described" in refusal(orders, Order(extra={"value": b"x"}))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (b"\xff", "is not the protobuf message of /acme.Orders/Get"),
        (b"\x0a\x01\xff", "is not the protobuf message"),
        (Order(extra={"type_url": "t/acme.Item", "value": b"\xff"}), "is not the protobuf message"),
        (Order(at={"seconds": 2**60}), "JSON cannot show"),
        (Order(free={"k": float("nan")}), "JSON cannot show"),
        (Order(labels={"a\nb": ""}), "control character in the key of a map"),
        (Order(free={"a\x00": 1}), "control character in the key of a map"),
    ],
)
def test_what_policy_could_not_read_is_refused(orders: Descriptors, order: Any, words: str) -> None:
    assert words in refusal(orders, order)


def test_the_number_of_values_is_limited(orders: Descriptors) -> None:
    assert len(read(orders, Order(numbers=[1] * MAX_VALUES))["numbers"]) == MAX_VALUES
    assert f"more than the {MAX_VALUES} values" in refusal(orders, Order(numbers=[1] * (MAX_VALUES + 1)))
    assert f"more than the {MAX_VALUES} values" in refusal(orders, Order(items=[{}] * MAX_VALUES, numbers=[1]))


def test_the_depth_is_limited(orders: Descriptors) -> None:
    def nested(levels: int) -> Any:
        order = Order(customer_id="in")
        for _ in range(levels - 1):
            order = Order(within=order)
        return order

    assert read(orders, nested(MAX_DEPTH))
    assert refusal(orders, nested(MAX_DEPTH + 1)) == f"is nested more than {MAX_DEPTH} levels deep"


def test_two_services_may_have_different_versions_of_a_file() -> None:
    other = FileDescriptorSet()
    other.CopyFrom(SET)
    del other.file[0].message_type[0].field[0]
    assert read(Descriptors(DATA), Order(customer_id="c")) == {"customer_id": "c"}
    assert "not described" in refusal(Descriptors(other.SerializeToString()), Order(customer_id="c"))


def test_a_set_that_lacks_a_file_says_how_to_make_a_whole_one() -> None:
    with pytest.raises(ValueError, match=r"lacks the file acme/items.proto; make it with `protoc --include_imports`"):
        Descriptors(FileDescriptorSet(file=SET.file[:1]).SerializeToString())


def test_bytes_that_are_no_set_say_so() -> None:
    with pytest.raises(ValueError, match="is no FileDescriptorSet"):
        Descriptors(b"\xff")


def test_a_file_that_is_not_valid_is_named() -> None:
    broken = FileDescriptorSet()
    broken.CopyFrom(SET)
    broken.file[1].message_type[0].field[1].type_name = ".acme.Nowhere"
    with pytest.raises(ValueError, match=r"has a file acme/items\.proto that is not valid"):
        Descriptors(broken.SerializeToString())
