"""A client of Firebreak in Python, with nothing but generated code: python client.py ADDRESS TOKEN_FILE"""

import sys
from pathlib import Path

import grpc
from firebreak.v1 import agent_pb2, agent_pb2_grpc, payload_pb2, tool_pb2, tool_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

QUESTION = "What is 1234 * 5678, and what does the handbook say about refunds?"


def main(address: str, token_file: str) -> None:
    # On one machine the gateway listens on loopback without TLS; anywhere else use grpc.secure_channel.
    bearer = (("authorization", f"Bearer {Path(token_file).read_text().strip()}"),)
    with grpc.insecure_channel(address) as channel:
        tools, agents = tool_pb2_grpc.ToolServiceStub(channel), agent_pb2_grpc.AgentServiceStub(channel)
        call(tools, bearer)
        run(agents, bearer)
        denied(tools, bearer)
        wrong(tools, bearer)
        cancel(agents, bearer)


def call(tools, bearer):
    """Calls a tool once. The timeout is gRPC's own deadline, and everything behind the gateway keeps to it."""
    answer = tools.Call(request("calculator", '{"expression": "1234 * 5678"}'), metadata=bearer, timeout=10)
    # A tool that failed is an answer too: its status then is TOOL_ERROR, and error_message says why.
    print("call:", tool_pb2.ToolStatus.Name(answer.result.status), answer.result.content[0].text)


def run(agents, bearer):
    """Streams an agent's run: each event as it happens."""
    for event in agents.Run(ask(QUESTION), metadata=bearer, timeout=60):
        match event.WhichOneof("event"):
            case "tool_started":
                print("run: →", event.tool_started.name)
            case "run_finished":
                print("run:", event.run_finished.message.content[0].text)


def denied(tools, bearer):
    """Makes a call that policy refuses, and reads why."""
    try:
        tools.Call(request("python", '{"code": "%s"}' % ("#" * 5000)), metadata=bearer)
    except grpc.RpcError as error:
        info = detail(error, error_details_pb2.ErrorInfo)
        print("denied:", error.code().name, info.reason, info.metadata["field"], info.metadata["rule"])


def wrong(tools, bearer):
    """Makes a call with a wrong argument, and reads which."""
    try:
        tools.Call(request("calculator", '{"expression": 7}'), metadata=bearer)
    except grpc.RpcError as error:
        violation = detail(error, error_details_pb2.BadRequest).field_violations[0]
        print("wrong:", error.code().name, violation.field, violation.description)


def cancel(agents, bearer):
    """Leaves a run after its first event; everything that worked for it stops."""
    events = agents.Run(ask(QUESTION), metadata=bearer)
    next(events)
    events.cancel()
    try:
        for _ in events:
            pass
    except grpc.RpcError as error:
        print("cancelled:", error.code().name)


def detail(error, kind):
    """The detail of this kind that the status carries."""
    for packed in rpc_status.from_call(error).details:
        if packed.Is(kind.DESCRIPTOR):
            found = kind()
            packed.Unpack(found)
            return found
    raise error


def request(tool, arguments):
    return tool_pb2.ToolServiceCallRequest(call=tool_pb2.ToolCall(target=tool, args_json=arguments.encode()))


def ask(text):
    content = [payload_pb2.ContentBlock(text=text)]
    message = payload_pb2.Message(role=payload_pb2.ROLE_USER, content=content)
    return agent_pb2.AgentServiceRunRequest(input=agent_pb2.AgentInput(target="assistant", messages=[message]))


if __name__ == "__main__":
    main(*sys.argv[1:])
