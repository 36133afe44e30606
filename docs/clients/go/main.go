// A client of Firebreak in Go: go run . ADDRESS TOKEN_FILE
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "firebreak.example/client/gen/firebreak/v1"
)

const question = "What is 1234 * 5678, and what does the handbook say about refunds?"

func main() {
	// On one machine the gateway listens on loopback without TLS; anywhere else use credentials.NewTLS.
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	defer connection.Close()
	token, err := os.ReadFile(os.Args[2])
	check(err)
	bearer := "Bearer " + strings.TrimSpace(string(token))
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", bearer)

	tools, agents := pb.NewToolServiceClient(connection), pb.NewAgentServiceClient(connection)
	call(ctx, tools)
	run(ctx, agents)
	denied(ctx, tools)
	wrong(ctx, tools)
	cancel(ctx, agents)
}

// call calls a tool once. The deadline is gRPC's own, and everything behind the gateway keeps to it.
func call(ctx context.Context, tools pb.ToolServiceClient) {
	ctx, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	answer, err := tools.Call(ctx, request("calculator", `{"expression": "1234 * 5678"}`))
	check(err)
	// A tool that failed is an answer too: its status then is TOOL_ERROR, and error_message says why.
	fmt.Println("call:", answer.Result.Status, answer.Result.Content[0].GetText())
}

// run streams an agent's run: each event as it happens.
func run(ctx context.Context, agents pb.AgentServiceClient) {
	ctx, done := context.WithTimeout(ctx, 60*time.Second)
	defer done()
	stream, err := agents.Run(ctx, ask(question))
	check(err)
	for {
		event, err := stream.Recv()
		check(err)
		switch event := event.Event.(type) {
		case *pb.AgentServiceRunResponse_ToolStarted:
			fmt.Println("run: →", event.ToolStarted.Name)
		case *pb.AgentServiceRunResponse_RunFinished:
			fmt.Println("run:", event.RunFinished.Message.Content[0].GetText())
			return
		}
	}
}

// denied makes a call that policy refuses, and reads why.
func denied(ctx context.Context, tools pb.ToolServiceClient) {
	_, err := tools.Call(ctx, request("python", fmt.Sprintf(`{"code": "%s"}`, strings.Repeat("#", 5000))))
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			fmt.Println("denied:", status.Code(err), info.Reason, info.Metadata["field"], info.Metadata["rule"])
		}
	}
}

// wrong makes a call with a wrong argument, and reads which.
func wrong(ctx context.Context, tools pb.ToolServiceClient) {
	_, err := tools.Call(ctx, request("calculator", `{"expression": 7}`))
	for _, detail := range status.Convert(err).Details() {
		if request, ok := detail.(*errdetails.BadRequest); ok {
			violation := request.FieldViolations[0]
			fmt.Println("wrong:", status.Code(err), violation.Field, violation.Description)
		}
	}
}

// cancel leaves a run after its first event; everything that worked for it stops.
func cancel(ctx context.Context, agents pb.AgentServiceClient) {
	ctx, leave := context.WithCancel(ctx)
	stream, err := agents.Run(ctx, ask(question))
	check(err)
	_, err = stream.Recv()
	check(err)
	leave()
	for err == nil {
		_, err = stream.Recv()
	}
	fmt.Println("cancelled:", status.Code(err))
}

func request(tool, arguments string) *pb.ToolServiceCallRequest {
	return &pb.ToolServiceCallRequest{Call: &pb.ToolCall{Target: tool, ArgsJson: []byte(arguments)}}
}

func ask(text string) *pb.AgentServiceRunRequest {
	content := []*pb.ContentBlock{{Block: &pb.ContentBlock_Text{Text: text}}}
	message := &pb.Message{Role: pb.Role_ROLE_USER, Content: content}
	return &pb.AgentServiceRunRequest{Input: &pb.AgentInput{Target: "assistant", Messages: []*pb.Message{message}}}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
