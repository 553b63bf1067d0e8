// Asks the emulator whether it knows a key id and its session token: by a request for a service that it has not, which it
// refuses as such only after it has found both.
export async function askEmulator(endpoint, { key, token, date }) {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      Authorization:
        `AWS4-HMAC-SHA256 Credential=${key}/${date.slice(0, 8)}/us-east-1/none/aws4_request, ` +
        'SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=00',
      'Content-Type': 'application/x-www-form-urlencoded',
      'X-Amz-Date': date,
      'X-Amz-Security-Token': token,
    },
    body: 'Action=GetCallerIdentity&Version=2011-06-15',
  });
  await answer.arrayBuffer();
}
