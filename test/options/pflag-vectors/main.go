// Records what Go's cobra and pflag make of command lines, for test/options/pflag.test.ts: it reads the lines of
// vectors.json and writes them with what came of each. Recorded with Go 1.19, cobra 1.6.1 and pflag 1.0.6 of Debian 12
// (golang-go, golang-github-spf13-cobra-dev); add a line as {"line": [...]} and run
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run main.go < vectors.json > new.json && mv new.json vectors.json
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type result struct {
	Line    []string          `json:"line"`
	Command string            `json:"command,omitempty"`
	Given   map[string]string `json:"given,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Help    bool              `json:"help,omitempty"`
	Error   string            `json:"error,omitempty"`
}

var texts = []string{"certificate", "private-key", "intermediates", "role-arn", "profile-arn", "trust-anchor-arn",
	"region", "endpoint", "role-session-name", "pkcs8-password"}
var booleans = []string{"debug", "no-verify-ssl", "reuse-pin", "no-tpm-key-password", "use-latest-expiring-certificate"}

func run(line []string) result {
	out := result{Line: line}
	root := &cobra.Command{Use: "aws_signing_helper", SilenceErrors: true, SilenceUsage: true}
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	for _, name := range []string{"credential-process", "version"} {
		name := name
		command := &cobra.Command{Use: name, Run: func(c *cobra.Command, args []string) {
			out.Command, out.Args, out.Given = name, args, map[string]string{}
			c.Flags().Visit(func(f *pflag.Flag) { out.Given[f.Name] = f.Value.String() })
		}}
		if name == "credential-process" {
			for _, flag := range texts {
				command.PersistentFlags().String(flag, "", "")
			}
			for _, flag := range booleans {
				command.PersistentFlags().Bool(flag, false, "")
			}
			command.PersistentFlags().Int("session-duration", 3600, "")
		}
		command.SetHelpFunc(func(*cobra.Command, []string) { out.Help = true })
		root.AddCommand(command)
	}
	root.SetHelpFunc(func(*cobra.Command, []string) { out.Help = true })
	root.SetArgs(line)
	if err := root.Execute(); err != nil {
		out.Error, _, _ = strings.Cut(err.Error(), "\n")
	}
	return out
}

func main() {
	var lines []result
	if err := json.NewDecoder(os.Stdin).Decode(&lines); err != nil {
		panic(err)
	}
	var rows []string
	for _, line := range lines {
		var row strings.Builder
		encoder := json.NewEncoder(&row)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(run(line.Line)); err != nil {
			panic(err)
		}
		rows = append(rows, strings.TrimSpace(row.String()))
	}
	fmt.Printf("[\n%s\n]\n", strings.Join(rows, ",\n"))
}
