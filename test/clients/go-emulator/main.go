// Drives a local Roles Anywhere and STS with AWS's own SDK for Go: every operation of the control plane, its paginators
// and typed errors, aliases, and the credential providers of stscreds. Prints what it saw as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	ra "github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

// Input is what the test hands over on standard input.
type Input struct {
	Endpoint     string `json:"endpoint"`
	Certificate  string `json:"certificate"`
	Crl          string `json:"crl"`
	RoleArn      string `json:"roleArn"`
	MfaRoleArn   string `json:"mfaRoleArn"`
	SerialNumber string `json:"serialNumber"`
	TokenCode    string `json:"tokenCode"`
	WebRoleArn   string `json:"webRoleArn"`
	WebToken     string `json:"webToken"`
}

// Output is what the test checks.
type Output struct {
	Operations        []string          `json:"operations"`
	Errors            map[string]string `json:"errors"`
	Pages             map[string]int    `json:"pages"`
	Listed            map[string]int    `json:"listed"`
	AliasArns         []string          `json:"aliasArns"`
	PreviousAliasName string            `json:"previousAliasName"`
	CrlDp             bool              `json:"crlDp"`
	Subjects          []string          `json:"subjects"`
	Settings          int               `json:"settings"`
	Mappings          int               `json:"mappings"`
	Tags              map[string]string `json:"tags"`
	MfaArn            string            `json:"mfaArn"`
	WebArn            string            `json:"webArn"`
	PresignedUrl      string            `json:"presignedUrl"`
}

func main() {
	var input Input
	must(json.NewDecoder(os.Stdin).Decode(&input))
	output := Output{Errors: map[string]string{}, Pages: map[string]int{}, Listed: map[string]int{}, Tags: map[string]string{}}
	ctx := context.Background()
	keys := credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "")
	controlPlane(ctx, input, &output, keys)
	tokens(ctx, input, &output, keys)
	must(json.NewEncoder(os.Stdout).Encode(output))
}

func controlPlane(ctx context.Context, input Input, output *Output, keys aws.CredentialsProvider) {
	called := map[string]bool{}
	client := ra.New(ra.Options{Region: "us-east-1", BaseEndpoint: &input.Endpoint, Credentials: keys, RetryMaxAttempts: 1,
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			called[stack.ID()] = true
			return nil
		}}})

	source := &types.Source{SourceType: types.TrustAnchorTypeCertificateBundle,
		SourceData: &types.SourceDataMemberX509CertificateData{Value: input.Certificate}}
	anchor := get(client.CreateTrustAnchor(ctx, &ra.CreateTrustAnchorInput{Name: aws.String("go"), Source: source,
		AliasName: aws.String("go/anchor"), CrlDpRevocationEnabled: aws.Bool(true)})).TrustAnchor
	output.CrlDp = aws.ToBool(anchor.CrlDpRevocationEnabled)
	anchorAlias := anchor.AliasArn
	output.AliasArns = append(output.AliasArns, *anchorAlias)
	get(client.GetTrustAnchor(ctx, &ra.GetTrustAnchorInput{TrustAnchorId: anchorAlias}))
	get(client.EnableTrustAnchor(ctx, &ra.EnableTrustAnchorInput{TrustAnchorId: anchor.TrustAnchorArn}))
	get(client.DisableTrustAnchor(ctx, &ra.DisableTrustAnchorInput{TrustAnchorId: anchorAlias}))
	settings := get(client.PutNotificationSettings(ctx, &ra.PutNotificationSettingsInput{TrustAnchorId: anchor.TrustAnchorId,
		NotificationSettings: []types.NotificationSetting{{Enabled: aws.Bool(true), Threshold: aws.Int32(9),
			Event: types.NotificationEventCaCertificateExpiry}}}))
	output.Settings = len(settings.TrustAnchor.NotificationSettings)
	get(client.ResetNotificationSettings(ctx, &ra.ResetNotificationSettingsInput{TrustAnchorId: anchor.TrustAnchorId,
		NotificationSettingKeys: []types.NotificationSettingKey{{Event: types.NotificationEventCaCertificateExpiry}}}))
	updated := get(client.UpdateTrustAnchor(ctx, &ra.UpdateTrustAnchorInput{TrustAnchorId: anchorAlias, AliasName: aws.String("go/renamed")}))
	output.PreviousAliasName = aws.ToString(updated.TrustAnchor.PreviousAliasName)
	_, err := client.GetTrustAnchor(ctx, &ra.GetTrustAnchorInput{TrustAnchorId: anchorAlias})
	output.Errors["alias that was renamed"] = kind(err)

	profile := get(client.CreateProfile(ctx, &ra.CreateProfileInput{Name: aws.String("go"), RoleArns: []string{input.RoleArn},
		AliasName: aws.String("go/profile")})).Profile
	output.AliasArns = append(output.AliasArns, *profile.AliasArn)
	_, err = client.CreateProfile(ctx, &ra.CreateProfileInput{Name: aws.String("go"), RoleArns: []string{}, AliasName: aws.String("go/profile")})
	output.Errors["alias that is taken"] = kind(err)
	_, err = client.CreateProfile(ctx, &ra.CreateProfileInput{Name: aws.String("go"), RoleArns: []string{"arn:aws:iam::999999999999:role/Abroad"}})
	output.Errors["role of another account"] = kind(err)
	get(client.EnableProfile(ctx, &ra.EnableProfileInput{ProfileId: profile.AliasArn}))
	get(client.DisableProfile(ctx, &ra.DisableProfileInput{ProfileId: profile.ProfileArn}))
	get(client.GetProfile(ctx, &ra.GetProfileInput{ProfileId: profile.ProfileId}))
	get(client.UpdateProfile(ctx, &ra.UpdateProfileInput{ProfileId: profile.AliasArn, DurationSeconds: aws.Int32(900)}))
	mapped := get(client.PutAttributeMapping(ctx, &ra.PutAttributeMappingInput{ProfileId: profile.AliasArn,
		CertificateField: types.CertificateFieldX509Subject, MappingRules: []types.MappingRule{{Specifier: aws.String("CN")}}}))
	output.Mappings = len(mapped.Profile.AttributeMappings)
	get(client.DeleteAttributeMapping(ctx, &ra.DeleteAttributeMappingInput{ProfileId: profile.AliasArn,
		CertificateField: types.CertificateFieldX509Subject}))

	crl := get(client.ImportCrl(ctx, &ra.ImportCrlInput{Name: aws.String("go"), CrlData: []byte(input.Crl),
		TrustAnchorArn: anchor.TrustAnchorArn, AliasName: aws.String("go/crl")})).Crl
	output.AliasArns = append(output.AliasArns, *crl.AliasArn)
	_, err = client.ImportCrl(ctx, &ra.ImportCrlInput{Name: aws.String("go"), CrlData: []byte(input.Crl), TrustAnchorArn: updated.TrustAnchor.AliasArn})
	output.Errors["import for an alias"] = kind(err)
	get(client.EnableCrl(ctx, &ra.EnableCrlInput{CrlId: crl.AliasArn}))
	get(client.DisableCrl(ctx, &ra.DisableCrlInput{CrlId: crl.CrlArn}))
	get(client.GetCrl(ctx, &ra.GetCrlInput{CrlId: crl.CrlId}))
	get(client.UpdateCrl(ctx, &ra.UpdateCrlInput{CrlId: crl.AliasArn, Name: aws.String("renamed")}))

	get(client.TagResource(ctx, &ra.TagResourceInput{ResourceArn: profile.ProfileArn,
		Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}}))
	get(client.UntagResource(ctx, &ra.UntagResourceInput{ResourceArn: profile.ProfileArn, TagKeys: []string{"b"}}))
	for _, tag := range get(client.ListTagsForResource(ctx, &ra.ListTagsForResourceInput{ResourceArn: profile.ProfileArn})).Tags {
		output.Tags[*tag.Key] = *tag.Value
	}
	var many []types.Tag
	for index := 0; index < 200; index++ {
		many = append(many, types.Tag{Key: aws.String(fmt.Sprintf("key%d", index)), Value: aws.String("")})
	}
	_, err = client.TagResource(ctx, &ra.TagResourceInput{ResourceArn: profile.ProfileArn, Tags: many})
	output.Errors["201 tags"] = kind(err)

	one := aws.Int32(1)
	anchors := ra.NewListTrustAnchorsPaginator(client, &ra.ListTrustAnchorsInput{PageSize: one})
	for anchors.HasMorePages() {
		page := get(anchors.NextPage(ctx))
		output.Pages["trustAnchors"]++
		output.Listed["trustAnchors"] += len(page.TrustAnchors)
	}
	profiles := ra.NewListProfilesPaginator(client, &ra.ListProfilesInput{PageSize: one})
	for profiles.HasMorePages() {
		page := get(profiles.NextPage(ctx))
		output.Pages["profiles"]++
		output.Listed["profiles"] += len(page.Profiles)
	}
	crls := ra.NewListCrlsPaginator(client, &ra.ListCrlsInput{PageSize: one})
	for crls.HasMorePages() {
		page := get(crls.NextPage(ctx))
		output.Pages["crls"]++
		output.Listed["crls"] += len(page.Crls)
	}
	subjects := ra.NewListSubjectsPaginator(client, &ra.ListSubjectsInput{PageSize: one})
	for subjects.HasMorePages() {
		page := get(subjects.NextPage(ctx))
		output.Pages["subjects"]++
		for _, summary := range page.Subjects {
			output.Listed["subjects"]++
			subject := get(client.GetSubject(ctx, &ra.GetSubjectInput{SubjectId: summary.SubjectId})).Subject
			output.Subjects = append(output.Subjects, *subject.X509Subject)
		}
	}

	get(client.DeleteCrl(ctx, &ra.DeleteCrlInput{CrlId: crl.AliasArn}))
	get(client.DeleteProfile(ctx, &ra.DeleteProfileInput{ProfileId: profile.AliasArn}))
	get(client.DeleteTrustAnchor(ctx, &ra.DeleteTrustAnchorInput{TrustAnchorId: updated.TrustAnchor.AliasArn}))
	_, err = client.GetProfile(ctx, &ra.GetProfileInput{ProfileId: profile.ProfileId})
	output.Errors["profile that was deleted"] = kind(err)
	for name := range called {
		output.Operations = append(output.Operations, name)
	}
	sort.Strings(output.Operations)
}

func tokens(ctx context.Context, input Input, output *Output, keys aws.CredentialsProvider) {
	client := func(provider aws.CredentialsProvider) *sts.Client {
		return sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: &input.Endpoint, Credentials: provider, RetryMaxAttempts: 1})
	}
	user := client(keys)
	mfa := stscreds.NewAssumeRoleProvider(user, input.MfaRoleArn, func(options *stscreds.AssumeRoleOptions) {
		options.SerialNumber = &input.SerialNumber
		options.TokenProvider = func() (string, error) { return input.TokenCode, nil }
		options.SourceIdentity = aws.String("gopher")
	})
	output.MfaArn = *get(client(mfa).GetCallerIdentity(ctx, nil)).Arn
	web := stscreds.NewWebIdentityRoleProvider(client(nil), input.WebRoleArn, token(input.WebToken),
		func(options *stscreds.WebIdentityRoleOptions) { options.RoleSessionName = "web" })
	output.WebArn = *get(client(web).GetCallerIdentity(ctx, nil)).Arn
	output.PresignedUrl = get(sts.NewPresignClient(user).PresignGetCallerIdentity(ctx, nil)).URL
}

type token string

func (text token) GetIdentityToken() ([]byte, error) { return []byte(text), nil }

// kind names the type of the SDK's that an error is.
func kind(err error) string {
	var notFound *types.ResourceNotFoundException
	var validation *types.ValidationException
	var denied *types.AccessDeniedException
	var tags *types.TooManyTagsException
	switch {
	case errors.As(err, &notFound):
		return "ResourceNotFoundException"
	case errors.As(err, &validation):
		return "ValidationException"
	case errors.As(err, &denied):
		return "AccessDeniedException"
	case errors.As(err, &tags):
		return "TooManyTagsException"
	}
	return fmt.Sprint(err)
}

func get[T any](value T, err error) T {
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
