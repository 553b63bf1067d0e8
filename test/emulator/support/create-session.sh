#!/bin/bash
# CreateSession as AWS's guide describes its signature ("Signing process" in the IAM Roles Anywhere User Guide), with
# openssl, sha256sum and curl alone: what the emulator accepts from here does not hang on this project's code.
# Usage: create-session.sh ENDPOINT REGION DATE LEAF KEY CHAIN|- ANCHOR_ARN PROFILE_ARN ROLE_ARN query|body
# Prints the answer's body, a line feed and the status.
set -euo pipefail
endpoint=$1 region=$2 date=$3 leaf=$4 key=$5 chain=$6 anchor=$7 profile=$8 role=$9 place=${10}

der_base64() { openssl x509 -in "$1" -outform DER | openssl base64 -A; }
hex_sha256() { sha256sum | cut -d ' ' -f 1; }
encode() { sed -e 's/%/%25/g; s/:/%3A/g; s|/|%2F|g; s/+/%2B/g; s/=/%3D/g; s/,/%2C/g; s/@/%40/g' <<<"$1"; }

# The serial number is wanted in decimal; openssl has hexadecimal. Schoolbook: digits, lowest first, times 16 plus the next.
hex=$(openssl x509 -in "$leaf" -noout -serial)
hex=${hex#serial=}
serial=''
digits=(0)
for ((i = 0; i < ${#hex}; i++)); do
  carry=$((16#${hex:i:1}))
  for j in "${!digits[@]}"; do
    carry=$((digits[j] * 16 + carry))
    digits[j]=$((carry % 10)) carry=$((carry / 10))
  done
  while ((carry > 0)); do digits+=($((carry % 10))) carry=$((carry / 10)); done
done
for digit in "${digits[@]}"; do serial=$digit$serial; done

case $(openssl x509 -in "$leaf" -noout -text | sed -n 's/.*Public Key Algorithm: //p') in
  rsaEncryption) algorithm=AWS4-X509-RSA-SHA256 ;;
  id-ecPublicKey) algorithm=AWS4-X509-ECDSA-SHA256 ;;
esac

if [[ $place == query ]]; then
  query="profileArn=$(encode "$profile")&roleArn=$(encode "$role")&trustAnchorArn=$(encode "$anchor")"
  body='{"durationSeconds":3600}'
else
  query=''
  body="{\"durationSeconds\":3600,\"profileArn\":\"$profile\",\"roleArn\":\"$role\",\"trustAnchorArn\":\"$anchor\"}"
fi

headers=("content-type:application/json" "host:${endpoint#*://}" "x-amz-date:$date" "x-amz-x509:$(der_base64 "$leaf")")
names='content-type;host;x-amz-date;x-amz-x509'
if [[ $chain != - ]]; then
  headers+=("x-amz-x509-chain:$(der_base64 "$chain")")
  names+=';x-amz-x509-chain'
fi

canonical=$(printf 'POST\n/sessions\n%s\n' "$query"; printf '%s\n' "${headers[@]}"
  printf '\n%s\n%s' "$names" "$(printf '%s' "$body" | hex_sha256)")
scope=${date:0:8}/$region/rolesanywhere/aws4_request
to_sign=$(printf '%s\n%s\n%s\n%s' "$algorithm" "$date" "$scope" "$(printf '%s' "$canonical" | hex_sha256)")
signature=$(printf '%s' "$to_sign" | openssl dgst -sha256 -sign "$key" -binary | od -An -v -tx1 | tr -d ' \n')

arguments=()
for header in "${headers[@]}"; do arguments+=(-H "${header/:/: }"); done
arguments+=(-H "Authorization: $algorithm Credential=$serial/$scope, SignedHeaders=$names, Signature=$signature")
exec curl --silent --show-error --noproxy '*' --max-time 20 -w '\n%{http_code}' "${arguments[@]}" --data-binary "$body" \
  "$endpoint/sessions${query:+?$query}"
