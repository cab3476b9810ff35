// Package s3body keeps envelopes in an S3-compatible store. What lies there is cipher text, named by day and hash; who
// puts, who reads and who sweeps can have keys of their own. Only daemon/hqd and tests may import it.
package s3body

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"madoguchi/daemon/hq/store"
)

// Address says where bodies are kept: "s3://BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION". There is no
// secret in it.
type Address struct {
	Bucket, Prefix string
	Endpoint       string // https, or http to a loopback address
	Region         string // default us-east-1
}

// ParseAddress reads an address.
func ParseAddress(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil {
		return Address{}, errors.New("store: bodies: not s3://BUCKET/PREFIX?endpoint=...; keys do not belong there")
	}
	q := u.Query()
	a := Address{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), Endpoint: q.Get("endpoint"), Region: q.Get("region")}
	for k := range q {
		if k != "endpoint" && k != "region" {
			return Address{}, fmt.Errorf("store: bodies: unknown setting %q", k)
		}
	}
	if a.Region == "" {
		a.Region = "us-east-1"
	}
	e, err := url.Parse(a.Endpoint)
	if err != nil || e.Host == "" || e.User != nil || e.Scheme != "https" && (e.Scheme != "http" || !loopback(e.Hostname())) {
		return Address{}, errors.New("store: bodies: the endpoint must be https")
	}
	return a, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Keys are the access key of one role.
type Keys struct {
	Access string `toml:"access_key"`
	Secret string `toml:"secret_key"`
}

// Store keeps bodies; it is a store.Bodies.
type Store struct {
	client *s3.Client
	at     Address
}

// attempts bounds how often one request is made; the kiosk tries for ever anyway.
const attempts = 2

// New makes the client. It connects at first use. cas, PEM, replaces the system's authorities when it is not empty.
func New(a Address, k Keys, cas []byte) (*Store, error) {
	if k.Access == "" || k.Secret == "" {
		return nil, errors.New("store: bodies: an access key is missing")
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(cas) > 0 {
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(cas) {
			return nil, errors.New("store: bodies: the authorities are malformed")
		}
	}
	client := &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 32,
			IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 15 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Store{at: a, client: s3.New(s3.Options{
		BaseEndpoint: aws.String(a.Endpoint), Region: a.Region, UsePathStyle: true, HTTPClient: client, RetryMaxAttempts: attempts,
		Credentials: aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: k.Access, SecretAccessKey: k.Secret, Source: "hqd"}, nil
		})),
	})}, nil
}

func (s *Store) path(key string) *string {
	if s.at.Prefix != "" {
		key = s.at.Prefix + "/" + key
	}
	return &key
}

// Put implements store.Bodies; the store checks the hash on arrival.
func (s *Store) Put(ctx context.Context, key string, body []byte, sum [32]byte) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.at.Bucket, Key: s.path(key), Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ContentType: aws.String("application/octet-stream"), ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})
	return fault("put", err)
}

// Get implements store.Bodies.
func (s *Store) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.at.Bucket, Key: s.path(key)})
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
		return nil, fmt.Errorf("%w: there is none", store.ErrBody)
	}
	if err != nil {
		return nil, fault("get", err)
	}
	defer func() { _ = out.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
	if err != nil {
		return nil, fault("get", err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: larger than a body can be", store.ErrBody)
	}
	return b, nil
}

// List implements store.Bodies.
func (s *Store) List(ctx context.Context, prefix string, visit func(keys []string) error) error {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.at.Bucket, Prefix: s.path(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fault("list", err)
		}
		var keys []string
		for _, o := range page.Contents {
			keys = append(keys, strings.TrimPrefix(aws.ToString(o.Key), strings.TrimSuffix(*s.path(""), "/")+"/"))
		}
		if len(keys) == 0 {
			continue
		}
		if err := visit(keys); err != nil {
			return err
		}
	}
	return nil
}

// Delete implements store.Bodies.
func (s *Store) Delete(ctx context.Context, keys []string) error {
	for _, k := range keys { // one by one: the batch call differs between servers
		if _, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.at.Bucket, Key: s.path(k)}); err != nil {
			return fault("delete", err)
		}
	}
	return nil
}

func fault(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: bodies: %s: %w", what, err)
}
