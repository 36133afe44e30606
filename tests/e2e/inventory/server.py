"""The service itself: python server.py ADDRESS, with the code that was generated from its contract beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from shop.v1 import inventory_pb2, inventory_pb2_grpc


class Inventory(inventory_pb2_grpc.InventoryServiceServicer):
    """Ten of everything, but no unicorns."""

    def __init__(self) -> None:
        self.stock: dict[str, int] = {}

    def Count(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.product == "unicorn":
            context.set_trailing_metadata((("shop-hint", "try horses"),))
            context.abort(grpc.StatusCode.NOT_FOUND, "no unicorns: há nenhum")
        return self._counted(request.product)

    def Take(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.stock[request.product] = self.stock.get(request.product, 10) - request.amount
        return self._counted(request.product)

    def Watch(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        context.send_initial_metadata((("shop-watch", "begun"),))
        for amount in (3, 2, 1):
            yield inventory_pb2.CountResponse(amount=amount)

    def Deliver(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Any:
        return inventory_pb2.CountResponse(amount=sum(request.amount for request in request_iterator))

    def _counted(self, product: str) -> Any:
        return inventory_pb2.CountResponse(amount=self.stock.get(product, 10))


server = grpc.server(ThreadPoolExecutor(8))
inventory_pb2_grpc.add_InventoryServiceServicer_to_server(Inventory(), server)
server.add_insecure_port(sys.argv[1])
server.start()
server.wait_for_termination()
