// A SPIFFE Workload API server on go-spiffe's own protocol package, with a certificate authority of its own. It is told
// what to do by lines on standard input, and answers each with a line; what serves clients is gRPC for Go.
//
//	start                listen on the socket
//	stop                 end every connection and remove the socket
//	rotate [SECONDS]     issue a new SVID, which lives so long, and send it to every stream
//	deny | allow         have no identity for anybody | have one again
//	unimplemented        know no method
//	compare              fetch by go-spiffe's client on the same socket, and say what it got
//	watch                follow the stream by go-spiffe's client from now on
//	key                  say the private key of the newest SVID, in base64
package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	trustDomain = "example.org"
	webID       = "spiffe://example.org/ns/prod/web"
	batchID     = "spiffe://example.org/ns/prod/batch"
)

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

type server struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	root, intermediate authority
	serial             int64

	mutex    sync.Mutex
	newest   *workload.X509SVIDResponse
	changed  chan struct{}
	refusal  error
	stopping chan struct{}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func newKey() *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

func (s *server) issueAuthority(name string, issuer *authority) authority {
	s.serial++
	key := newKey()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(s.serial),
		Subject:               pkix.Name{Country: []string{"US"}, Organization: []string{"SPIFFE"}, CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		URIs:                  []*url.URL{{Scheme: "spiffe", Host: trustDomain}},
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.certificate, issuer.key
	}
	der := must(x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer))
	return authority{must(x509.ParseCertificate(der)), key}
}

// As SPIRE issues them: C=US, O=SPIRE as the subject, the SPIFFE ID in a URI, and the key new each time.
func (s *server) issue(id, hint string, life time.Duration) *workload.X509SVID {
	s.serial++
	key := newKey()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(s.serial),
		Subject:               pkix.Name{Country: []string{"US"}, Organization: []string{"SPIRE"}},
		NotBefore:             time.Now().Add(-10 * time.Second),
		NotAfter:              time.Now().Add(life),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:                  []*url.URL{must(url.Parse(id))},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, s.intermediate.certificate, &key.PublicKey, s.intermediate.key))
	return &workload.X509SVID{
		SpiffeId:    id,
		X509Svid:    append(der, s.intermediate.certificate.Raw...),
		X509SvidKey: must(x509.MarshalPKCS8PrivateKey(crypto.PrivateKey(key))),
		Bundle:      s.root.certificate.Raw,
		Hint:        hint,
	}
}

func (s *server) rotate(life time.Duration) int64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	batch := s.issue(batchID, "batch", life)
	s.newest = &workload.X509SVIDResponse{
		Svids:            []*workload.X509SVID{s.issue(webID, "web", life), batch},
		FederatedBundles: map[string][]byte{"spiffe://elsewhere.example": s.root.certificate.Raw},
	}
	s.wake()
	return s.serial
}

// The mutex is held.
func (s *server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *server) refuse(err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.refusal = err
	s.wake()
}

func (s *server) state() (*workload.X509SVIDResponse, error, chan struct{}, chan struct{}) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.newest, s.refusal, s.changed, s.stopping
}

// SPIFFE Workload Endpoint, section 3.
func checkHeader(ctx context.Context) error {
	headers, _ := metadata.FromIncomingContext(ctx)
	if values := headers.Get("workload.spiffe.io"); len(values) != 1 || values[0] != "true" {
		return status.Error(codes.InvalidArgument, "security header missing from request")
	}
	return nil
}

func (s *server) FetchX509SVID(_ *workload.X509SVIDRequest, stream grpc.ServerStreamingServer[workload.X509SVIDResponse]) error {
	if err := checkHeader(stream.Context()); err != nil {
		return err
	}
	for {
		newest, refusal, changed, stopping := s.state()
		if refusal != nil {
			return refusal
		}
		if err := stream.Send(newest); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stopping:
			return status.Error(codes.Unavailable, "the agent is stopping")
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func (s *server) FetchJWTSVID(ctx context.Context, request *workload.JWTSVIDRequest) (*workload.JWTSVIDResponse, error) {
	if err := checkHeader(ctx); err != nil {
		return nil, err
	}
	if _, refusal, _, _ := s.state(); refusal != nil {
		return nil, refusal
	}
	if len(request.Audience) == 0 {
		return nil, status.Error(codes.InvalidArgument, "audience must be specified")
	}
	response := &workload.JWTSVIDResponse{}
	for _, id := range []string{webID, batchID} {
		if request.SpiffeId != "" && request.SpiffeId != id {
			continue
		}
		token := must(signJWT(s.root.key, id, request.Audience))
		response.Svids = append(response.Svids, &workload.JWTSVID{SpiffeId: id, Svid: token})
	}
	if len(response.Svids) == 0 {
		return nil, status.Error(codes.PermissionDenied, "no identity issued")
	}
	return response, nil
}

func (s *server) listen(socket string) *grpc.Server {
	s.mutex.Lock()
	s.stopping = make(chan struct{})
	s.mutex.Unlock()
	listener := must(net.Listen("unix", socket))
	serving := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(serving, s)
	go serving.Serve(listener)
	return serving
}

func compare(address string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := workloadapi.New(ctx, workloadapi.WithAddr(address))
	if err != nil {
		return "", err
	}
	defer client.Close()
	svid, err := client.FetchX509SVID(ctx)
	if err != nil {
		return "", err
	}
	token, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: "sts.amazonaws.com"})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d %d %s", svid.ID, svid.Certificates[0].SerialNumber, len(svid.Certificates), token.ID), nil
}

// What go-spiffe's client sees of the stream.
type watcher struct {
	mutex   sync.Mutex
	seen    int
	lastOne string
}

func (w *watcher) OnX509ContextUpdate(update *workloadapi.X509Context) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.seen++
	w.lastOne = update.DefaultSVID().Certificates[0].SerialNumber.String()
}

func (w *watcher) OnX509ContextWatchError(error) {}

func main() {
	socket := os.Args[1]
	s := &server{changed: make(chan struct{})}
	s.root = s.issueAuthority("root", nil)
	s.intermediate = s.issueAuthority("intermediate", &s.root)
	s.rotate(time.Hour)
	pem.Encode(os.Stdout, &pem.Block{Type: "CERTIFICATE", Bytes: s.root.certificate.Raw})
	fmt.Println("ready")
	var serving *grpc.Server
	watched := &watcher{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Fields(lines.Text())
		answer := "ok"
		switch words[0] {
		case "start":
			serving = s.listen(socket)
		case "stop":
			close(s.stopping)
			serving.Stop()
			os.Remove(socket)
		case "rotate":
			life := time.Hour
			if len(words) > 1 {
				life = time.Duration(must(strconv.Atoi(words[1]))) * time.Second
			}
			answer = fmt.Sprint("ok ", s.rotate(life))
		case "deny":
			s.refuse(status.Error(codes.PermissionDenied, "no identity issued"))
		case "allow":
			s.refuse(nil)
		case "unimplemented":
			s.refuse(status.Error(codes.Unimplemented, "unknown service SpiffeWorkloadAPI"))
		case "compare":
			said, err := compare("unix://" + socket)
			if err != nil {
				said = "error " + strings.ReplaceAll(err.Error(), "\n", " ")
			}
			answer = said
		case "watch":
			client := must(workloadapi.New(context.Background(), workloadapi.WithAddr("unix://"+socket)))
			go client.WatchX509Context(context.Background(), watched)
		case "watched":
			watched.mutex.Lock()
			answer = fmt.Sprint(watched.seen, " ", watched.lastOne)
			watched.mutex.Unlock()
		case "key":
			newest, _, _, _ := s.state()
			answer = base64.StdEncoding.EncodeToString(newest.Svids[0].X509SvidKey)
		default:
			answer = "unknown"
		}
		fmt.Println(answer)
	}
}
