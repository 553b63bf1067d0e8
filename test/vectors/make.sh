#!/usr/bin/env bash
# Makes the golden vectors of the signing stages without any of this project's
# code: bash puts the strings together from the published description of the
# algorithm, sha256sum (coreutils) hashes, openssl encodes. Run it with a
# directory to write to; the test runs it again and compares.
#
#   test/vectors/make.sh test/vectors && npx oxfmt test/vectors
#
# Sources: IAM Roles Anywhere User Guide, "Signing process"; IAM User Guide,
# "Create a signed AWS API request".
set -euo pipefail
export LC_ALL=C
out=${1:?usage: make.sh DIRECTORY}

sha256() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }

# Percent-encodes byte by byte.
encode() {
  local text=$1 encoded='' character i
  for ((i = 0; i < ${#text}; i++)); do
    character=${text:i:1}
    case $character in
      [A-Za-z0-9._~-]) encoded+=$character ;;
      *) printf -v character '%%%02X' "$(($(printf '%d' "'$character") & 255))"; encoded+=$character ;;
    esac
  done
  printf '%s' "$encoded"
}

json() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  printf '"%s"' "$text"
}

# json_pairs NAME VALUE ...: an array of pairs
json_pairs() {
  local separator=''
  printf '['
  while (($#)); do
    printf '%s[%s, %s]' "$separator" "$(json "$1")" "$(json "$2")"
    separator=', '
    shift 2
  done
  printf ']'
}

# vector FILE ALGORITHM SERIAL REGION SERVICE TIMESTAMP PATH BODY; query and headers are in the arrays QUERY and HEADERS
vector() {
  local file=$1 algorithm=$2 serial=$3 region=$4 service=$5 timestamp=$6 path=$7 body=$8 i
  local canonical_query canonical_headers='' names='' canonical_path='' body_hash request scope to_sign

  canonical_query=$(for ((i = 0; i < ${#QUERY[@]}; i += 2)); do
    printf '%s %s\n' "$(encode "${QUERY[i]}")" "$(encode "${QUERY[i + 1]}")"
  done | sort | sed 's/ /=/' | paste -sd'&')

  # Value: leading and trailing spaces off, runs of spaces made one.
  while IFS=: read -r name value; do
    [ -n "$name" ] || continue
    canonical_headers+=$name:$value$'\n'
    names+=${names:+;}$name
  done < <(for ((i = 0; i < ${#HEADERS[@]}; i += 2)); do
    printf '%s:%s\n' "${HEADERS[i],,}" "$(printf '%s' "${HEADERS[i + 1]}" | sed -E 's/^ +//; s/ +$//; s/ +/ /g')"
  done | sort -t: -k1,1)

  local rest=${path#/} segment
  while :; do
    segment=${rest%%/*}
    canonical_path+=/$(encode "$segment")
    [ "$segment" = "$rest" ] && break
    rest=${rest#*/}
  done

  body_hash=$(sha256 "$body")
  request=POST$'\n'$canonical_path$'\n'$canonical_query$'\n'$canonical_headers$'\n'$names$'\n'$body_hash
  scope=${timestamp:0:8}/$region/$service/aws4_request
  to_sign=$algorithm$'\n'$timestamp$'\n'$scope$'\n'$(sha256 "$request")

  cat >"$out/$file" <<JSON
{
  "input": {
    "method": "POST",
    "path": $(json "$path"),
    "query": $(json_pairs "${QUERY[@]}"),
    "headers": $(json_pairs "${HEADERS[@]}"),
    "body": $(json "$body"),
    "algorithm": $(json "$algorithm"),
    "serialNumber": $(json "$serial"),
    "region": $(json "$region"),
    "service": $(json "$service"),
    "timestamp": $(json "$timestamp")
  },
  "canonicalPath": $(json "$canonical_path"),
  "canonicalQuery": $(json "$canonical_query"),
  "canonicalHeaders": $(json "$canonical_headers"),
  "signedHeaders": $(json "$names"),
  "bodyHash": $(json "$body_hash"),
  "canonicalRequest": $(json "$request"),
  "canonicalRequestHash": $(json "$(sha256 "$request")"),
  "credentialScope": $(json "$scope"),
  "stringToSign": $(json "$to_sign"),
  "stringToSignHash": $(json "$(sha256 "$to_sign")"),
  "authorization": $(json "$algorithm Credential=$serial/$scope, SignedHeaders=$names, Signature=")
}
JSON
}

base64_of() { printf '%s' "$1" | openssl base64 -A; }

profile=arn:aws:rolesanywhere:us-east-1:123456789012:profile/11111111-1111-1111-1111-111111111111
role=arn:aws:iam::123456789012:role/Demo
anchor=arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/22222222-2222-2222-2222-222222222222
host=rolesanywhere.us-east-1.amazonaws.com
leaf=$(base64_of CERT)

HEADERS=(content-type application/json host "$host" x-amz-date 20211103T120000Z x-amz-x509 "$leaf")
QUERY=(profileArn "$profile" roleArn "$role" trustAnchorArn "$anchor")
vector arns-in-query.json AWS4-X509-RSA-SHA256 1 us-east-1 rolesanywhere 20211103T120000Z \
  /sessions '{"durationSeconds":3600}'

QUERY=()
vector arns-in-body.json AWS4-X509-RSA-SHA256 128 us-east-1 rolesanywhere 20211103T120000Z /sessions \
  "{\"durationSeconds\":3600,\"profileArn\":\"$profile\",\"roleArn\":\"$role\",\"trustAnchorArn\":\"$anchor\"}"

QUERY=(profileArn "$profile" roleArn "$role" trustAnchorArn "$anchor")
HEADERS=(Content-Type application/json Host 127.0.0.1:8443 X-Amz-Date 20260228T235959Z X-Amz-X509 "$leaf"
  X-Amz-X509-Chain "$(base64_of 'FIRST INTERMEDIATE'),$(base64_of 'SECOND')")
vector chain-and-port.json AWS4-X509-ECDSA-SHA256 730750818665451459101842416358141509827966271487 \
  cn-north-1 rolesanywhere 20260228T235959Z /base/path/sessions '{}'

QUERY=(b 2 a 'x y' a '' a+b '1+1=2&c' 'é' "'(*)!" A '~-._/' roleSessionName 'ünï@,=')
HEADERS=(X-Amz-X509 "$leaf" x-spaces '  one   two  ' X-Amz-Date 20240229T000000Z HOST h.test Content-Type 'a; b=c')
vector awkward-characters.json AWS4-X509-MLDSA 255 eusc-de-east-1 rolesanywhere 20240229T000000Z \
  '/a%20b/c:d@e' '{"roleSessionName":"é \"quoted\" \\"}'
