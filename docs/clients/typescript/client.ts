// A client of Firebreak in TypeScript, without generated code: node dist/client.js ADDRESS TOKEN_FILE PROTO_FOLDER
import { readFileSync } from "node:fs";

import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import protobuf from "protobufjs";

const question = "What is 1234 * 5678, and what does the handbook say about refunds?";
const [address, tokenFile, protos] = process.argv.slice(2);

const definition = loadSync(["firebreak/v1/tool.proto", "firebreak/v1/agent.proto"], {
  includeDirs: [protos],
  enums: String,
  longs: String,
  defaults: true,
  oneofs: true,
});
const { ToolService, AgentService } = (grpc.loadPackageDefinition(definition).firebreak as any).v1;
// On one machine the gateway listens on loopback without TLS; anywhere else use grpc.credentials.createSsl().
const tools = new ToolService(address, grpc.credentials.createInsecure());
const agents = new AgentService(address, grpc.credentials.createInsecure());
const bearer = new grpc.Metadata();
bearer.set("authorization", `Bearer ${readFileSync(tokenFile, "utf8").trim()}`);

/** Calls a tool once. The deadline is gRPC's own, and everything behind the gateway keeps to it. */
async function call(): Promise<void> {
  const { result } = await callTool("calculator", { expression: "1234 * 5678" });
  // A tool that failed is an answer too: its status then is TOOL_ERROR, and error_message says why.
  console.log("call:", result.status, result.content[0].text);
}

/** Streams an agent's run: each event as it happens. */
async function run(): Promise<void> {
  for await (const event of ask(question)) {
    if (event.event === "toolStarted") console.log("run: →", event.toolStarted.name);
    if (event.event === "runFinished") console.log("run:", event.runFinished.message.content[0].text);
  }
}

/** Makes a call that policy refuses, and reads why. */
async function denied(): Promise<void> {
  const error = await failure(callTool("python", { code: "#".repeat(5000) }));
  const info = detail(error, "ErrorInfo");
  console.log("denied:", grpc.status[error.code], info.reason, info.metadata.field, info.metadata.rule);
}

/** Makes a call with a wrong argument, and reads which. */
async function wrong(): Promise<void> {
  const error = await failure(callTool("calculator", { expression: 7 }));
  const [violation] = detail(error, "BadRequest").fieldViolations;
  console.log("wrong:", grpc.status[error.code], violation.field, violation.description);
}

/** Leaves a run after its first event; everything that worked for it stops. */
async function cancel(): Promise<void> {
  const events = ask(question);
  try {
    for await (const _ of events) events.cancel();
  } catch (error) {
    console.log("cancelled:", grpc.status[(error as grpc.ServiceError).code]);
  }
}

function callTool(target: string, args: object): Promise<any> {
  const request = { call: { target, argsJson: Buffer.from(JSON.stringify(args)) } };
  const deadline = Date.now() + 10_000;
  return new Promise((resolve, reject) =>
    tools.Call(request, bearer, { deadline }, (error: grpc.ServiceError | null, answer: any) =>
      error ? reject(error) : resolve(answer),
    ),
  );
}

function ask(text: string): grpc.ClientReadableStream<any> {
  const messages = [{ role: "ROLE_USER", content: [{ text }] }];
  return agents.Run({ input: { target: "assistant", messages } }, bearer, { deadline: Date.now() + 60_000 });
}

async function failure(answer: Promise<any>): Promise<grpc.ServiceError> {
  return answer.then(
    () => Promise.reject(new Error("the call did not fail")),
    (error: grpc.ServiceError) => error,
  );
}

/** The detail of this kind that the status carries. */
function detail(error: grpc.ServiceError, kind: string): any {
  const [packed] = error.metadata.get("grpc-status-details-bin") as Buffer[];
  const found = (rpc.lookupType("Status").decode(packed) as any).details.find((any: any) =>
    any.typeUrl.endsWith(`google.rpc.${kind}`),
  );
  return rpc.lookupType(kind).decode(found.value);
}

const rpc = protobuf.loadSync("google_rpc.proto").lookup("google.rpc") as protobuf.Namespace;

await call();
await run();
await denied();
await wrong();
await cancel();
tools.close();
agents.close();
