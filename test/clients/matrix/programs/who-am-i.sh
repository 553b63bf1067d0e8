#!/bin/sh
# Asks STS who it is with nothing but curl and jq. Usage: who-am-i.sh ENDPOINT
set -eu
if [ -n "${AWS_CONTAINER_CREDENTIALS_FULL_URI:-}" ]; then
  printf 'header = "Authorization: %s"\n' "$(cat "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")" |
    curl -sSf -K - "$AWS_CONTAINER_CREDENTIALS_FULL_URI" >credentials.json
else
  imds=$AWS_EC2_METADATA_SERVICE_ENDPOINT
  token=$(curl -sSf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$imds/latest/api/token")
  roles=$imds/latest/meta-data/iam/security-credentials
  role=$(curl -sSf -H "X-aws-ec2-metadata-token: $token" "$roles/")
  curl -sSf -H "X-aws-ec2-metadata-token: $token" "$roles/$role" >credentials.json
fi
jq -r '"user = \"\(.AccessKeyId):\(.SecretAccessKey)\"\nheader = \"X-Amz-Security-Token: \(.Token)\""' credentials.json |
  curl -sSf -K - --aws-sigv4 aws:amz:us-east-1:sts -d 'Action=GetCallerIdentity&Version=2011-06-15' "$1/"
