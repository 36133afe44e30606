"""Descriptors of a small service, acme.Orders, with every shape of method and every sort of field."""

from __future__ import annotations

from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message_factory import GetMessageClass

_TEXT = """
file {
  name: "acme/orders.proto" package: "acme" syntax: "proto3"
  dependency: "acme/items.proto" dependency: "google/protobuf/any.proto" dependency: "google/protobuf/struct.proto"
  dependency: "google/protobuf/timestamp.proto"
  message_type {
    name: "Order"
    field { name: "customer_id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "amount" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL }
    field { name: "items" number: 3 type: TYPE_MESSAGE type_name: ".acme.Item" label: LABEL_REPEATED }
    field { name: "labels" number: 4 type: TYPE_MESSAGE type_name: ".acme.Order.LabelsEntry" label: LABEL_REPEATED }
    field { name: "extra" number: 5 type: TYPE_MESSAGE type_name: ".google.protobuf.Any" label: LABEL_OPTIONAL }
    field { name: "free" number: 6 type: TYPE_MESSAGE type_name: ".google.protobuf.Struct" label: LABEL_OPTIONAL }
    field { name: "at" number: 7 type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" label: LABEL_OPTIONAL }
    field { name: "raw" number: 8 type: TYPE_BYTES label: LABEL_OPTIONAL }
    field { name: "within" number: 9 type: TYPE_MESSAGE type_name: ".acme.Order" label: LABEL_OPTIONAL }
    field { name: "numbers" number: 10 type: TYPE_INT32 label: LABEL_REPEATED }
    field { name: "by_name" number: 11 type: TYPE_MESSAGE type_name: ".acme.Order.ByNameEntry" label: LABEL_REPEATED }
    nested_type {
      name: "LabelsEntry" options { map_entry: true }
      field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      field { name: "value" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    }
    nested_type {
      name: "ByNameEntry" options { map_entry: true }
      field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      field { name: "value" number: 2 type: TYPE_MESSAGE type_name: ".acme.Item" label: LABEL_OPTIONAL }
    }
  }
  service {
    name: "Orders"
    method { name: "Get" input_type: ".acme.Order" output_type: ".acme.Order" }
    method { name: "Watch" input_type: ".acme.Order" output_type: ".acme.Order" server_streaming: true }
    method { name: "Load" input_type: ".acme.Order" output_type: ".acme.Order" client_streaming: true }
    method {
      name: "Sync" input_type: ".acme.Order" output_type: ".acme.Order" client_streaming: true server_streaming: true
    }
    method { name: "Tell" input_type: ".google.protobuf.Timestamp" output_type: ".acme.Order" }
  }
}
file {
  name: "acme/items.proto" package: "acme" syntax: "proto3"
  enum_type { name: "Size" value { name: "SIZE_UNSPECIFIED" number: 0 } value { name: "SIZE_LARGE" number: 1 } }
  message_type {
    name: "Item"
    field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "size" number: 2 type: TYPE_ENUM type_name: ".acme.Size" label: LABEL_OPTIONAL }
  }
}
"""

SET: FileDescriptorSet = text_format.Parse(_TEXT, FileDescriptorSet())
DATA: bytes = SET.SerializeToString()
"""The set lacks the files that come with protobuf, as one does that was made without --include_imports."""


def _classes() -> tuple[type, type]:
    from google.protobuf import any_pb2, struct_pb2, timestamp_pb2

    pool = descriptor_pool.DescriptorPool()
    for module in (any_pb2, struct_pb2, timestamp_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    for file in reversed(SET.file):
        pool.Add(file)
    return (
        GetMessageClass(pool.FindMessageTypeByName("acme.Order")),
        GetMessageClass(pool.FindMessageTypeByName("acme.Item")),
    )


Order, Item = _classes()
