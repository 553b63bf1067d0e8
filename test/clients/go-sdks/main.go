// Asks with the default credentials of one of Go's libraries for AWS who it is, or which buckets there are.
//
//	go-sdks LIBRARY ENDPOINT    prints an ARN, or the buckets' names
//	go-sdks sdk-v1-held          asks IMDS for a region, and with the same session token again after each line of input
//	go-sdks versions            prints the libraries with their versions, as JSON
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	configv2 "github.com/aws/aws-sdk-go-v2/config"
	stsv2 "github.com/aws/aws-sdk-go-v2/service/sts"
	awsv1 "github.com/aws/aws-sdk-go/aws"
	ec2metadatav1 "github.com/aws/aws-sdk-go/aws/ec2metadata"
	sessionv1 "github.com/aws/aws-sdk-go/aws/session"
	stsv1 "github.com/aws/aws-sdk-go/service/sts"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	"github.com/hashicorp/go-secure-stdlib/awsutil/v2"
	"github.com/minio/minio-go/v7"
	miniocredentials "github.com/minio/minio-go/v7/pkg/credentials"
)

const region = "us-east-1"

// The modules whose versions the page shows.
var libraries = map[string]string{
	"sdk-v2":  "github.com/aws/aws-sdk-go-v2",
	"sdk-v1":  "github.com/aws/aws-sdk-go",
	"minio":   "github.com/minio/minio-go/v7",
	"awsbase": "github.com/hashicorp/aws-sdk-go-base/v2",
	"awsutil": "github.com/hashicorp/go-secure-stdlib/awsutil/v2",
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "versions" {
		printVersions()
		return
	}
	if len(os.Args) == 2 && os.Args[1] == "sdk-v1-held" {
		askHeld()
		return
	}
	if len(os.Args) != 3 {
		fail(errors.New("usage: go-sdks LIBRARY ENDPOINT"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ask, known := map[string]func(context.Context, string) (string, error){
		"sdk-v2":  askV2,
		"sdk-v1":  askV1,
		"minio":   askMinio,
		"awsbase": askBase,
		"awsutil": askUtil,
	}[os.Args[1]]
	if !known {
		fail(fmt.Errorf("%s is none of the libraries", os.Args[1]))
	}
	answer, err := ask(ctx, os.Args[2])
	if err != nil {
		fail(err)
	}
	fmt.Println(answer)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func printVersions() {
	info, _ := debug.ReadBuildInfo()
	versions := map[string]string{}
	for _, module := range info.Deps {
		for name, path := range libraries {
			if module.Path == path {
				versions[name] = module.Version
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(versions); err != nil {
		fail(err)
	}
}

func whoAmI(ctx context.Context, config aws.Config, endpoint string) (string, error) {
	client := stsv2.NewFromConfig(config, func(options *stsv2.Options) { options.BaseEndpoint = &endpoint })
	identity, err := client.GetCallerIdentity(ctx, &stsv2.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return *identity.Arn, nil
}

func askV2(ctx context.Context, endpoint string) (string, error) {
	config, err := configv2.LoadDefaultConfig(ctx, configv2.WithRegion(region))
	if err != nil {
		return "", err
	}
	return whoAmI(ctx, config, endpoint)
}

func askV1(ctx context.Context, endpoint string) (string, error) {
	session, err := sessionv1.NewSession(&awsv1.Config{Region: awsv1.String(region), Endpoint: &endpoint})
	if err != nil {
		return "", err
	}
	identity, err := stsv1.New(session).GetCallerIdentityWithContext(ctx, &stsv1.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return *identity.Arn, nil
}

// One client, and so one session token, for as long as there are lines.
func askHeld() {
	session, err := sessionv1.NewSession()
	if err != nil {
		fail(err)
	}
	client := ec2metadatav1.New(session)
	for input := bufio.NewScanner(os.Stdin); ; {
		region, err := client.GetMetadata("placement/region")
		if err != nil {
			fail(err)
		}
		fmt.Println(region)
		if !input.Scan() {
			return
		}
	}
}

// The chain that MinIO's documentation proposes, which restic, Thanos and others have too.
func askMinio(ctx context.Context, endpoint string) (string, error) {
	parsed, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	client, err := minio.New(parsed.Host, &minio.Options{
		Region: region,
		Creds: miniocredentials.NewChainCredentials([]miniocredentials.Provider{
			&miniocredentials.EnvAWS{},
			&miniocredentials.FileAWSCredentials{},
			&miniocredentials.IAM{
				Client: &http.Client{Transport: http.DefaultTransport},
				// The one variable that this library has no name for.
				Endpoint: os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
			},
		}),
	})
	if err != nil {
		return "", err
	}
	buckets, err := client.ListBuckets(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(buckets), nil
}

// What Terraform's AWS provider and its S3 backend find their credentials with.
func askBase(ctx context.Context, endpoint string) (string, error) {
	ctx, config, diagnostics := awsbase.GetAwsConfig(ctx, &awsbase.Config{Region: region, StsEndpoint: endpoint})
	for _, diagnostic := range diagnostics {
		if diagnostic.Severity() == 'E' {
			return "", fmt.Errorf("%s: %s", diagnostic.Summary(), diagnostic.Detail())
		}
	}
	return whoAmI(ctx, config, endpoint)
}

// What Vault and its agents find their credentials with.
func askUtil(ctx context.Context, endpoint string) (string, error) {
	credentials, err := awsutil.NewCredentialsConfig(awsutil.WithRegion(region))
	if err != nil {
		return "", err
	}
	config, err := credentials.GenerateCredentialChain(ctx)
	if err != nil {
		return "", err
	}
	return whoAmI(ctx, *config, endpoint)
}
